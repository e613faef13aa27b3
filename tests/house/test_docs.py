"""The documents and the code say the same, both ways."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from varde.cli import COMMANDS, main
from varde.settings import PREFIX, Settings

from .tree import PYPROJECT, ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def command(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`varde` with these words, in an environment without other VARDE_ variables."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.run(
        [sys.executable, "-m", "varde.cli", *words],
        env=clean | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def shown(value: Any) -> str:
    words = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"`{words}`" if words else "empty"


def test_settings_are_documented_with_default_and_meaning() -> None:
    rows = re.findall(r"^\| `(VARDE_\w+)` \| (.*?) \| (.*) \|$", text(DOCS / "settings.md"), re.MULTILINE)
    documented = [(name, default, meaning.replace("\\|", "|")) for name, default, meaning in rows]
    assert documented == [
        (PREFIX + field.name.upper(), shown(field.default), field.metadata["help"]) for field in fields(Settings)
    ]


def test_no_document_names_a_variable_that_does_not_exist() -> None:
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    for page in PAGES:
        assert set(re.findall(r"\bVARDE_[A-Z_]+\b", text(page))) <= known, page


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"\bvarde {name}\b", text(ROOT / "README.md"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    run = command(name, "--help")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(f"usage: varde {name}")
    assert "--" in run.stdout


def test_the_usage_lists_all_commands() -> None:
    run = command("--help")
    assert run.returncode == 0
    assert re.findall(r"^  ([\w-]+)  ", run.stdout, re.MULTILINE) == list(COMMANDS)


def test_wrong_use_is_exit_code_2() -> None:
    for words in ([], ["dmeo"]):
        assert command(*words).returncode == 2
    assert command("serve", VARDE_CAP="many").returncode == 2


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(("variable", "value"), [("VARDE_CAPP", "64"), ("VARDE_CAP", "many"), ("VARDE_CAP", "")])
def test_a_setting_that_makes_no_sense_stops_every_command(
    name: str, variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for one in [one for one in os.environ if one.startswith(PREFIX)]:
        monkeypatch.delenv(one)
    monkeypatch.setenv(variable, value)
    assert main([name]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"varde {name}: {variable}: ")
    assert out == ""


TARGETS = dict(re.findall(r"^([\w-]+):.*?## (.*)$", text(ROOT / "Makefile"), re.MULTILINE))


def test_make_help_lists_every_task() -> None:
    run = subprocess.run(["make", "-s", "-C", ROOT, "help"], capture_output=True, text=True, timeout=60, check=True)
    assert dict(re.findall(r"^  make (\S+) +(.*)$", run.stdout, re.MULTILINE)) == TARGETS
    phony = re.search(r"^\.PHONY: (.*)$", text(ROOT / "Makefile"), re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == set(TARGETS)


def test_tasks_that_documents_name_exist() -> None:
    for page in PAGES:
        assert set(re.findall(r"`make ([a-z][\w-]*)[^`]*`", text(page))) <= set(TARGETS), page


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+://", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_and_decision_is_in_the_index() -> None:
    index = text(DOCS / "README.md")
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"}
    assert pages == set(re.findall(r"\]\(([^)#]+\.md)\)", index))


@pytest.mark.parametrize("adr", sorted((DOCS / "adr").glob("0*.md")), ids=lambda adr: adr.name)
def test_a_decision_has_the_form_of_the_template(adr: Path) -> None:
    number = int(adr.name[:4])
    assert text(adr).startswith(f"# {number}. ")
    assert re.search(r"^(Accepted\.|Replaced by )", text(adr), re.MULTILINE)
    known, used = (re.findall(r"^## .*$", text(page), re.MULTILINE) for page in (DOCS / "adr" / "template.md", adr))
    assert used == [heading for heading in known if heading in used], "sections of the template, in its order"
    assert {"## Question", "## Decision"} <= set(used)


def test_decisions_have_numbers_of_their_own() -> None:
    numbers = [adr.name[:4] for adr in (DOCS / "adr").glob("0*.md")]
    assert len(numbers) == len(set(numbers))


def test_dependencies_are_those_of_the_project_each_with_its_reason() -> None:
    sections = re.split(r"^## ", text(DOCS / "dependencies.md"), flags=re.MULTILINE)[1:]
    documented = {
        section.split("\n", 1)[0]: re.findall(r"^- `(\S+)`: \S.*\.$", section, re.MULTILINE) for section in sections
    }
    project = PYPROJECT["project"]
    declared = {"base": project["dependencies"], **project["optional-dependencies"]}
    names = {
        extra: sorted(
            {name for name in (Requirement(line).name for line in lines) if name != project["name"]}, key=str.lower
        )
        for extra, lines in declared.items()
    }
    assert documented == names


LOCK = [line for line in text(ROOT / "requirements.lock").splitlines() if not line.startswith("#")]


def test_the_lock_holds_plain_pins_only() -> None:
    """A path or an address would be one of the machine that made it."""
    assert LOCK
    assert [line for line in LOCK if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)] == []
    assert not any(line.startswith("varde==") for line in LOCK)


def test_the_lock_fits_the_project() -> None:
    pins = dict(line.lower().replace("_", "-").split("==") for line in LOCK)
    project = PYPROJECT["project"]
    lines = chain(project["dependencies"], *project["optional-dependencies"].values())
    for requirement in map(Requirement, lines):
        if requirement.name != project["name"] and not (requirement.marker and not requirement.marker.evaluate()):
            assert requirement.specifier.contains(pins[requirement.name.lower().replace("_", "-")]), requirement


def test_the_changelog_knows_this_version() -> None:
    assert f"## {PYPROJECT['project']['version']}" in text(ROOT / "CHANGELOG.md")
