"""`varde catalogue` from the command line: feeds of every form, single items, and exit codes."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from varde.batch.catalogue import command
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.catalogue import Entry, Text
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore

ROWS = [
    {"id": "a", "title": "Jacket", "price": 12.5, "stock": 3, "categories": ["Clothes", "Jackets"], "hidden": False},
    {"id": "b", "title": "Rain, wind", "brand": "Kaldra", "texts": {"sv": "Regn"}, "colour": "blue"},
]
READ = {
    "a": Entry("a", title="Jacket", price=12.5, stock=3, categories=("Clothes", "Jackets")),
    "b": Entry("b", title="Rain, wind", brand="Kaldra", texts={"sv": Text("Regn", None)}),
}


@pytest.fixture(autouse=True)
def environment(monkeypatch, redis_url):
    for name in os.environ:
        if name.startswith("VARDE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VARDE_REDIS_URL", redis_url)


@pytest.fixture
def store(redis_url):
    store = CatalogueStore.from_settings(Settings(redis_url=redis_url))
    yield store
    store.close()


@pytest.fixture
def run(capsys):
    """Runs the command: (exit code, the JSON line, standard error)."""

    def run(*words: Any) -> tuple[int, dict[str, Any], str]:
        code = command([str(word) for word in words])
        said = capsys.readouterr()
        return code, json.loads(said.out.splitlines()[-1]) if said.out else {}, said.err

    return run


def entries(store):
    return {item: store.entry(item) for item, _ in store.scan()}


def lines(*rows: Any) -> bytes:
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


CSV = (
    'ID;Title;price;stock;categories;brand;texts;colour\na;Jacket;12.5;3;Clothes > Jackets;;;\n'
    'b;"Rain, wind";;;;Kaldra;"{""sv"": ""Regn""}";blue\n'
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("feed.jsonl", lines(*ROWS)),
        ("feed.ndjson", b"\xef\xbb\xbf" + lines(*ROWS).replace(b"\n", b"\r\n\r\n").rstrip()),
        ("feed.jsonl.gz", gzip.compress(lines(*ROWS))),
        ("feed.csv", CSV.encode()),
        ("feed.csv", b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode()),
        ("feed.csv.gz", gzip.compress(CSV.encode())),
    ],
)
def test_a_feed_of_any_form(tmp_path, run, store, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    code, figures, _ = run("load", file)
    assert code == 0
    assert entries(store) == READ
    assert figures == {
        "as_of": file.stat().st_mtime_ns // 10**6, "complete": True, "rows": 2, "rows_refused": {}, "examples": {},
        "columns_not_read": ["colour"], "written": 2, "unchanged": 0, "removed": 0, "no_room": 0,
    }  # fmt: skip
    assert run("load", file)[1]["unchanged"] == 2


def test_bad_rows_are_kept_out_counted_and_leave_their_items_alone(tmp_path, run, store):
    file = tmp_path / "feed.jsonl"
    file.write_bytes(lines(*ROWS))
    assert run("load", file, "--as-of", "2026-01-01")[0] == 0
    bad = [b"{\n", b'["id"]\n', b'{"id": "' + b"x" * 200_000 + b'"}\n', b'{"title": "\xff"}\n', {"title": "nameless"}]
    bad += [{"id": "a", "url": "javascript:alert(1)", "price": 1.0}, {"id": "c"}, {"id": "c", "title": "again"}]
    file.write_bytes(lines(*bad))
    code, figures, _ = run("load", file, "--as-of", "2026-01-02")
    assert code == 0
    assert figures["rows_refused"] == {
        "not_json": 2, "not_an_object": 1, "bad_row": 1, "no_item": 1, "bad_url": 1, "duplicate": 1,
    }  # fmt: skip
    assert figures["examples"]["bad_url"][0]["row"] == 6
    assert figures["examples"]["bad_url"][0]["id"] == "a"
    assert figures["rows"] == 8
    assert entries(store) == {"a": READ["a"], "c": Entry("c")}, "b is gone, a is as it was"


def test_bad_lines_of_csv(tmp_path, run, store):
    file = tmp_path / "feed.csv"
    file.write_bytes(b"item,title,price\na,A,1\nb,B,1,2\nc,\xff,1\nd\n\ne," + b"x" * 200_000 + b",1\nf,F,\x00\ng,G,2\n")
    code, figures, _ = run("load", file)
    assert code == 0
    assert figures["rows_refused"] == {"bad_row": 2, "bad_title": 1, "bad_price": 1}
    assert set(entries(store)) == {"a", "d", "g"}


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("feed.xml", b"<a/>", "ends in one of"),
        ("feed.csv", b"", "must name the columns"),
        ("feed.csv", b"title,price\nx,1\n", "must name the columns"),
        ("feed.jsonl.gz", b"not gzip", "gzip"),
        ("feed.jsonl.gz", gzip.compress(lines(*ROWS * 1000))[:-20], "end-of-stream"),
        ("missing.jsonl", None, "No such file"),
    ],
)
def test_a_feed_that_cannot_be_read_removes_nothing(tmp_path, run, store, name, content, why):
    store.put_entries([Entry("old")], 1, True)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, _, err = run("load", tmp_path / name)
    assert code == 2
    assert why in err
    assert "old" in entries(store)


def test_what_a_complete_feed_does_not_have_is_removed_within_reason(tmp_path, run, store):
    file = tmp_path / "feed.jsonl"
    store.put_entries([Entry(str(n)) for n in range(10)], 1, True)
    file.write_bytes(lines({"id": "0"}))
    assert run("load", file, "--partial")[1]["removed"] == 0
    code, figures, err = run("load", file)
    assert code == 3
    assert "9 of 10 items would be removed" in err
    assert "9 of 10" in figures["refused"]
    assert len(entries(store)) == 10
    assert run("load", file, "--max-removed", "1")[1]["removed"] == 9
    code, _, err = run("load", file, "--as-of", "2001-01-01")
    assert code == 3
    assert "later time" in err


def test_the_shops_own_catalogue_in_the_warehouse(tmp_path, run, store):
    path = tmp_path / "warehouse.duckdb"
    with DuckDBWarehouse(path) as warehouse:
        columns = {
            "item": ["a", "b", "b"], "title": ["Jacket", "old", "Rain, wind"], "price": ["12.5", None, "x"],
            "stock": [3, None, None], "categories": ["Clothes > Jackets", None, None], "brand": [None, None, "Kaldra"],
            "texts": [None, None, '{"sv": "Regn"}'], "updated": ["2026-01-01", "2026-01-01", "2026-01-02"],
        }  # fmt: skip
        warehouse.load("store.catalogue", pa.table(columns))
    code, figures, err = run("load", "--warehouse", path)
    assert (code, figures["written"], figures["columns_not_read"]) == (0, 2, []), err
    assert entries(store) == READ
    # As old as its row says, not as the load is.
    assert run("set", "a", "--stock", "0")[1]["entry"]["stock"] == 0
    assert run("load", "--warehouse", path)[1]["unchanged"] == 2
    assert run("load", "--warehouse", tmp_path / "none.duckdb")[0] == 2


def test_one_item_by_hand(run, store):
    store.put_entries([Entry("a", title="A", stock=3)], 1, True)
    code, said, _ = run("set", "a", "--hide", "--stock", "0", "--price", "9.5")
    assert (code, said["changed"]) == (0, True)
    shown = {"id": "a", "title": "A", "price": 9.5, "stock": 0, "hidden": True, "listed": True}
    assert said["entry"] == shown
    code, said, _ = run("show", "a")
    assert (code, said["entry"], said["as_of"]) == (0, shown, 1)
    assert {name: each["value"] for name, each in said["changes"].items()} == {"hidden": True, "stock": 0, "price": 9.5}
    assert run("set", "a", "--clear", "hidden", "--clear", "stock")[1]["entry"] == {
        "id": "a", "title": "A", "price": 9.5, "stock": 3, "listed": True,
    }  # fmt: skip
    assert run("set", "a", "--show")[1]["changed"] is False
    assert run("set", "new", "--hide")[1]["entry"] == {"id": "new", "hidden": True, "listed": False}


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["show", "nobody"], 1, "nothing is known of 'nobody'"),
        (["set", "a"], 2, "none of hidden, stock, price"),
        (["set", "a", "--stock", "many"], 2, "stock: not a number"),
        (["set", " ", "--hide"], 2, "id: blank"),
        (["set", "a", "--stock", "1", "--clear", "stock"], 2, "set and cleared"),
        (["load", "x.jsonl", "--as-of", "2199-01-01"], 2, "No such file"),
    ],
)
def test_wrong_use(run, words, code, why):
    found, _, err = run(*words)
    assert found == code
    assert why in err


@pytest.mark.parametrize("words", [["load"], ["load", "a.csv", "--warehouse", "b"], ["set", "a", "--hide", "--show"]])
def test_words_that_contradict_each_other(words):
    with pytest.raises(SystemExit) as caught:
        command(words)
    assert caught.value.code == 2


def test_a_time_to_come_is_refused(tmp_path, run):
    file = tmp_path / "feed.jsonl"
    file.write_bytes(lines(*ROWS))
    assert run("load", file, "--as-of", "2199-01-01")[0] == 2
    os.utime(file, (9_999_999_999, 9_999_999_999))
    assert run("load", file)[0] == 0, "a file's clock may be wrong; now is the latest"


def test_without_redis(tmp_path, run, monkeypatch):
    monkeypatch.setattr("varde.store.connection.RETRIES", 0)
    monkeypatch.setenv("VARDE_REDIS_URL", f"unix://{tmp_path}/nobody")
    file = Path(tmp_path / "feed.jsonl")
    file.write_bytes(lines(*ROWS))
    for words in (["load", file], ["set", "a", "--hide"], ["show", "a"]):
        code, _, err = run(*words)
        assert code == 4
        assert "Redis" in err
