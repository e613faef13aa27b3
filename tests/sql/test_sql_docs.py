"""docs/sql.md and sql/ say the same, both ways; and every header holds what it must."""

import re
from importlib import resources
from pathlib import Path

import pytest
from sqlglot import exp

from varde import exposure
from varde.batch import experiments, nightly
from varde.batch.warehouse import ddl, dialect, lint, queries, views
from varde.batch.warehouse.segment import EXPOSURE_COLUMNS, RAW_COLUMNS, STORE_TABLES

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "sql.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0]: part for part in re.split(r"^### ", DOC, flags=re.MULTILINE)[1:]}
TABLES = {part.split("\n", 1)[0]: part for part in re.split(r"^#### ", DOC, flags=re.MULTILINE)[1:]}
VIEWS = {part.split("\n", 1)[0]: part for part in re.split(r"^##### ", DOC, flags=re.MULTILINE)[1:]}


def test_the_same_queries() -> None:
    assert set(SECTIONS) == set(queries.names())


@pytest.mark.parametrize("name", queries.names())
def test_parameters_and_columns(name: str) -> None:
    tree = queries.parse(queries.text(name))
    parameters = re.search(r"^Parameters: (.*)$", SECTIONS[name], re.MULTILINE)
    columns = re.search(r"^Columns: (.*)$", SECTIONS[name], re.MULTILINE)
    assert parameters and columns
    assert set(re.findall(r"`@(\w+)`", parameters[1])) == queries.parameters(tree)
    assert re.findall(r"`(\w+)`", columns[1]) == tree.named_selects


@pytest.mark.parametrize("name", queries.names())
def test_headers(name: str) -> None:
    header = "\n".join(line for line in queries.text(name).splitlines() if line.startswith("--"))
    assert re.match(r"-- Grain: one row\b.*", header)
    declared = header.partition("-- Parameters: ")[2].partition("-- Source:")[0]
    assert set(re.findall(r"@(\w+)", declared)) == queries.parameters(queries.parse(queries.text(name)))
    source = header.partition("-- Source: ")[2]
    read = {table.name for table in queries.parse(queries.text(name)).find_all(exp.Table) if table.db}
    assert read
    assert all(re.search(rf"\b{table}\b", source) for table in read), read


@pytest.mark.parametrize("name", ddl.tables())
def test_declarations_have_headers(name: str) -> None:
    text = resources.files(queries.PACKAGE).joinpath("ddl", f"{name}.sql").read_text(encoding="utf-8")
    header = "\n".join(line for line in text.splitlines() if line.startswith("--"))
    assert re.match(r"-- Grain: one row\b.*", header)
    source = header.partition("-- Source: ")[2]
    assert ("; replaced" in source) != ("added to" in source)
    for path in re.findall(r"\b(?:sql|batch)/[\w/]+\.\w+", source):
        assert (ROOT / path).is_file(), path
    if name in queries.names():
        assert f"sql/{name}.sql" in source


def test_rewrites_and_bans_are_listed() -> None:
    rewrites = DOC.partition("## What runs it on DuckDB")[2].partition("## What is refused")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", rewrites, re.MULTILINE)) == {r.__name__ for r in dialect.REWRITES}
    refused = DOC.partition("## What is refused")[2]
    assert set(re.findall(r"`([A-Z_]+)`", refused.partition("\n\n## ")[0])) >= set(lint.BANNED)


def test_the_steps_of_the_night_are_queries_or_decided_outside() -> None:
    assert set(nightly.STEPS) - set(nightly.DECIDED) <= set(queries.names())
    assert not set(nightly.DECIDED) & set(queries.names())


@pytest.mark.parametrize("name", ddl.tables())
def test_tables_are_described_as_they_are_declared(name: str) -> None:
    declared = ddl.tables()[name]
    section = TABLES[name]
    assert section.split("\n")[1].startswith(declared.description)
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \|$", section, re.MULTILINE)
    assert rows == [(column, type_, text) for column, (type_, text) in declared.columns.items()]
    said = section.split("\n")[1]
    assert (f"kept for {declared.days} days" in said) == bool(declared.days)
    clustered = said.partition("Clustered by ")[2]
    assert tuple(re.findall(r"`(\w+)`", clustered)) == declared.clustered


def test_the_same_tables() -> None:
    assert set(TABLES) == set(ddl.tables())


@pytest.mark.parametrize("name", ["raw_messages", *STORE_TABLES])
def test_contracts_name_the_columns_that_are_read(name: str) -> None:
    part = DOC.partition("## Raw messages" if name == "raw_messages" else f"`store.{name}`:")[2]
    table = part[part.index("| --- |") :].split("\n\n")[0]
    declared = RAW_COLUMNS if name == "raw_messages" else STORE_TABLES[name]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(declared)


@pytest.mark.parametrize("name", views.views())
def test_views_are_described_as_they_are_declared(name: str) -> None:
    view = views.views()[name]
    section = VIEWS[name].partition("\n## ")[0]
    assert section.split("\n")[1] == view.description
    assert re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE) == list(view.columns.items())
    text = resources.files(queries.PACKAGE).joinpath("views", f"{name}.sql").read_text(encoding="utf-8")
    assert re.match(r"-- Grain: one row\b.*\n-- Source: ", text)
    assert lint.view(text) == []


def test_the_same_views() -> None:
    assert set(VIEWS) == set(views.views())
    assert not set(views.views()) & (set(ddl.tables()) | set(queries.names()))


def test_exposures_are_described_as_they_are_recorded() -> None:
    part = DOC.partition("## Exposures")[2].partition("## Experiments")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", part, re.MULTILINE)
    assert [(name, meaning) for name, _, meaning in rows] == [(one.name, one.help) for one in exposure.SCHEMA]
    assert list(EXPOSURE_COLUMNS) == [name for name, _, _ in rows]


def test_the_steps_of_experiments_are_listed() -> None:
    part = DOC.partition("## Experiments")[2].partition("## Queries")[0]
    listed = part.partition("(`varde.batch.experiments`):")[2].partition(".")[0]
    assert tuple(re.findall(r"`(\w+)`", listed)) == experiments.STEPS
    dropped = part.partition("The tables with everybody's ids,")[2].partition(", are dropped")[0]
    assert set(re.findall(r"`(\w+)`", dropped)) == set(experiments.DROPPED)
