"""deploy/refresh: the statements that bq is given, run on DuckDB and read by Google's own engine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot

from varde.batch.warehouse import ddl
from varde.batch.warehouse.dialect import to_duckdb

from .cloud import Cloud, stand_in
from .plans import ROOT, commands, environment, plan, script

TARGET = "segment_development.messages"
SOURCE = "varde_production"
PARAMETERS = {"share": "g", "least": 1, "consent": "{}"}
ARCHIVE = "(subscription_name VARCHAR, message_id VARCHAR, publish_time TIMESTAMPTZ, attributes VARCHAR, data VARCHAR)"


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return stand_in(tmp_path)


def statement(cloud: Cloud, *words: str) -> str:
    """What the script gives bq on its standard input."""
    run = script("refresh", *words, path=cloud.path)
    assert run.returncode == 0, run.stderr
    return cloud.sql


@pytest.fixture
def warehouse() -> Any:
    """Both environments' tables, with two views in production and a message of development's own."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE SCHEMA {SOURCE}; CREATE SCHEMA segment_development")
        for name in ("histories", "order_lines", "order_returns", "interactions", "identity", "pseudonym_key"):
            declared = ddl.tables()[name].columns
            columns = ", ".join(f"{c} {'VARCHAR' if t == 'STRING' else t}" for c, (t, _) in declared.items())
            connection.execute(f"CREATE TABLE {SOURCE}.{name} ({columns})")
        connection.execute(f"CREATE TABLE {TARGET} {ARCHIVE}")
        connection.execute(f"INSERT INTO {SOURCE}.pseudonym_key VALUES ('5eed')")
        seen = "('u:jane', 0, 'tent', 1767225600000), ('u:joe', 0, 'mat', 1767225600000)"
        connection.execute(f"INSERT INTO {SOURCE}.histories VALUES {seen}")
        connection.execute(
            f"INSERT INTO {TARGET} VALUES ('varde-archive', 'own', now(), NULL, 'of development itself')"
        )
        yield connection


def run(warehouse: Any, sql: str) -> list[tuple[str, str]]:
    """The names of what the archive holds after the statement."""
    tree = sqlglot.parse_one(sql, dialect="bigquery")
    for table in tree.find_all(sqlglot.exp.Table):
        table.set("catalog", None)
    warehouse.execute(to_duckdb(tree), PARAMETERS)
    return sorted(warehouse.execute(f"SELECT subscription_name, message_id FROM {TARGET}").fetchall())


def test_it_may_be_repeated_and_lets_go_of_who_is_gone(cloud: Cloud, warehouse: Any) -> None:
    sql = statement(cloud)
    first = run(warehouse, sql)
    assert [name for name, _ in first] == ["varde-archive", "varde-refresh", "varde-refresh"]
    assert run(warehouse, sql) == first
    warehouse.execute(f"DELETE FROM {SOURCE}.histories WHERE customer = 'u:joe'")
    left = run(warehouse, sql)
    assert len(left) == 2
    assert set(left) < set(first)
    warehouse.execute(f"DELETE FROM {SOURCE}.pseudonym_key")
    assert run(warehouse, sql) == [("varde-archive", "own")], "no key, nobody"


def test_what_bigquery_is_asked(cloud: Cloud) -> None:
    sql = statement(cloud, "--share", "10", "--least", "3", "--max-bytes", "5000")
    (words,) = (words for words in cloud.calls if words[0] == "bq")
    assert "--maximum_bytes_billed=5000" in words
    assert "--parameter=share::19999999" in words
    assert "--parameter=least:INT64:3" in words
    assert "--dry_run" not in words
    assert "varde." not in sql, "every table is named in full"
    assert sql.count("`shop-warehouse`.`varde_production`.") == 7
    assert environment("production")["DATASET_SEGMENT"] not in sql
    assert "--dry_run" in statement(cloud, "--dry-run") + str(cloud.calls)


def test_no_secret_is_in_a_command() -> None:
    for words in (["refresh"], ["refresh", "--set-up"]):
        for _, line in commands(plan(*words)):
            assert "key" not in " ".join(line).lower()


def test_required_consents_are_said(cloud: Cloud, tmp_path: Path) -> None:
    root = tmp_path / "clone"
    shutil.copytree(ROOT / "deploy", root / "deploy", ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(ROOT / "sql", root / "sql")
    env = root / "deploy" / "env" / "development.env"
    env.write_text(env.read_text() + "VARDE_CONSENT_CATEGORIES=Analytics, Data Sharing\n")
    assert 'consent::{"categoryPreferences":{"Analytics":true,"Data Sharing":true}}' in plan("refresh", root=root)
    env.write_text(env.read_text().replace("Data Sharing", 'Data"Sharing'))
    refused = script("refresh", "--plan", root=root)
    assert refused.returncode == 2
    assert "cannot be written as JSON" in refused.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RAW_TABLE", "", "development has no archive"),
        ("DATASET_VARDE", "varde_production", "development's dataset is production's"),
        ("WAREHOUSE_LOCATION", "US", "within one location"),
    ],
)
def test_what_cannot_be_copied_is_refused(tmp_path: Path, name: str, value: str, said: str) -> None:
    root = tmp_path / "clone"
    shutil.copytree(ROOT / "deploy", root / "deploy", ignore=shutil.ignore_patterns("node_modules"))
    env = root / "deploy" / "env" / "development.env"
    lines = [f"{name}={value}" if line.startswith(f"{name}=") else line for line in env.read_text().splitlines()]
    env.write_text("\n".join(lines) + "\n")
    run = script("refresh", "--plan", root=root)
    assert run.returncode == 2
    assert said in run.stderr


def flat(sql: str) -> str:
    """Google's engine knows tables without projects and datasets."""
    return sql.replace("`shop-warehouse`.`varde_production`.", "").replace(
        "`shop-warehouse`.`segment_development`.`messages`", "messages"
    )


def test_googles_own_engine_takes_both_statements(cloud: Cloud) -> None:
    pytest.importorskip("wasmtime", reason="needs the zetasql wheel (Google's SQL engine)")
    from tests.sql.googlesql import GoogleSql

    GoogleSql()  # sets the engine up, its cache included
    from zetasql import api, types

    kinds = {name: getattr(types.TypeKind, f"TYPE_{name}") for name in ("STRING", "INT64", "BOOL")}
    catalog = api.CatalogBuilder("both")
    for name in ("histories", "order_lines", "order_returns", "interactions", "identity", "pseudonym_key"):
        table = api.TableBuilder(name)
        for column, (type_, _) in ddl.tables()[name].columns.items():
            table.add_column(column, kinds[type_])
        catalog.add_table(table.build())
    archive = api.TableBuilder("messages")
    for column in ("subscription_name", "message_id", "data"):
        archive.add_column(column, types.TypeKind.TYPE_STRING)
    archive.add_column("publish_time", types.TypeKind.TYPE_TIMESTAMP)
    catalog.add_table(archive.build())
    language = types.LanguageOptions.maximum_features()
    language.supported_statement_kinds = [types.ResolvedNodeKind.RESOLVED_MERGE_STMT]
    options = types.AnalyzerOptions(language_options=language, allow_undeclared_parameters=True)
    built = catalog.with_builtin_functions(types.ZetaSQLBuiltinFunctionOptions(language_options=language)).build()
    analyzer = api.Analyzer(options, built)
    copy = flat(statement(cloud))
    key = flat(statement(cloud, "--set-up"))
    assert "MergeStmt" in type(analyzer.analyze_statement(copy)).__name__
    assert "MergeStmt" in type(analyzer.analyze_statement(key)).__name__
    with pytest.raises(Exception, match="nowhere"):
        analyzer.analyze_statement(copy.replace("s.data)", "s.nowhere)"))
