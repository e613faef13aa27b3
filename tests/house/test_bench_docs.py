"""docs/benchmarks.md and the benches: every command it names runs, and every row of its tables is printed by one."""

from __future__ import annotations

import ast
import re

import pytest
from tests.bench.__main__ import NAMES

from .tree import ROOT

DOCS = ROOT / "docs"
PAGE = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
ADR = (DOCS / "adr" / "0006-local-runners.md").read_text(encoding="utf-8")
TEXTS = (PAGE, ADR, *((DOCS / name).read_text(encoding="utf-8") for name in ("redis.md", "warehouse.md")))
COMMAND = re.compile(r"python -m tests\.bench(?:\.bench_|\s+)(\w+)((?: --?[a-z]\S*(?: \d+)?)*)")


def source(bench: str) -> str:
    return (ROOT / "tests" / "bench" / f"bench_{bench}.py").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    """Bench -> the text of the benchmarks' section that begins with its command."""
    found = {}
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[2:]:
        command = COMMAND.search(part)
        assert command, f"a section without its command: {part.splitlines()[0]}"
        found[command[1]] = part
    return found


def printed(bench: str) -> list[re.Pattern[str]]:
    """Every text in a bench's source, as a pattern: what an f-string puts in may be anything."""
    tree = ast.parse(source(bench))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    out = [
        "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else r".+" for part in node.values)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
    ]
    out += [
        re.escape(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside
    ]
    return [re.compile(text) for text in out if re.sub(r"\\.|\.\+|\W", "", text)]


def rows(text: str) -> list[str]:
    """The first cells of all rows below the heads of tables, without remarks in parentheses."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {n - 1 for n, line in enumerate(lines) if re.match(r"\| -", line)}
    cells = [line.split("|")[1].strip() for n, line in enumerate(lines) if n not in heads]
    return [re.sub(r" \(.*\)$|`", "", cell) for cell in cells if not cell.startswith("---")]


def test_every_bench_has_its_section() -> None:
    assert set(sections()) == set(NAMES)
    for page in TEXTS:
        assert {name for name, _ in COMMAND.findall(page)} <= set(NAMES)


@pytest.mark.parametrize("bench", sorted(sections()))
def test_every_row_is_printed_by_the_bench_of_its_section(bench: str) -> None:
    patterns = printed(bench)
    found = rows(sections()[bench])
    assert found or bench == "bytes", "the figures of `bytes` are in docs/redis.md"
    unknown = [row for row in found if not any(pattern.fullmatch(row) for pattern in patterns)]
    assert not unknown


def test_rows_of_repairs_are_printed_too() -> None:
    table = ADR.partition("--repairs`")[2].partition("\n\n## ")[0]
    patterns = printed("stream")
    assert len(found := rows(table)) >= 7
    assert [row for row in found if not any(p.pattern.startswith(re.escape(row)) for p in patterns)] == []


def test_options_that_are_named_exist() -> None:
    named = [found for page in TEXTS for found in COMMAND.findall(page) if found[1]]
    assert named
    for bench, options in named:
        for option in re.findall(r"--[a-z]+", options):
            assert f'add_argument("{option}"' in source(bench), (bench, option)
