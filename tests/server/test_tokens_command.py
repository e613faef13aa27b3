"""`varde email-tokens`: every recipient's line comes back, with a token that the server reads, or none."""

import csv
import io
import os
import subprocess
import sys
import time

import pytest

from varde.server import tokens, tokens_command
from varde.server.tokens import Link
from varde.server.tokens_command import TOKEN, Sending, tokened

SECRET = "a-secret-of-links-for-the-tests-0123456789"
NOW = 1_728_043_200_000
SPRING = Sending("spring-1", "mail", None, "sv", "", None, "uid", 0, "")


def made(text, sending=SPRING):
    """The table, and the links behind its tokens."""
    rows = [row for row, _ in tokened(csv.reader(io.StringIO(text)), sending, [SECRET], NOW)]
    place = rows[0].index(TOKEN)
    return rows, [tokens.read([SECRET], row[place], NOW) if row[place] else None for row in rows[1:]]


def test_each_recipient_gets_the_token_of_the_sending():
    rows, links = made("id,name\njane,Jane\njoe@example.org,Joe\n")
    assert rows[0] == ["id", "name", TOKEN]
    assert [row[:2] for row in rows[1:]] == [["jane", "Jane"], ["joe@example.org", "Joe"]]
    expected = Link("jane", None, "spring-1", "mail", None, "sv", "", tokens.expiry(NOW))
    assert links == [expected, expected._replace(uid="joe@example.org")]


def test_columns_of_the_file_say_more():
    text = "name,key,lang,currency\nJane,j,de_AT,eur\nJoe,k,,\nJim,l,???,euro\n"
    _, links = made(text, SPRING._replace(column="key", kind="aid", currency="SEK"))
    assert [(link.uid, link.aid, link.lang, link.currency) for link in links] == [
        (None, "j", "de-AT", "EUR"),
        (None, "k", "sv", "SEK"),
        (None, "l", "sv", "SEK"),
    ]


def test_addresses_of_slots_stand_ready():
    rows, _ = made("id\njane\n", SPRING._replace(slots=2, public_url="https://r.shop.example/"))
    assert rows[0] == ["id", TOKEN, "varde_image_1", "varde_click_1", "varde_image_2", "varde_click_2"]
    token = rows[1][1]
    assert rows[1][2:4] == [
        f"https://r.shop.example/v1/email/slot/1.png?t={token}",
        f"https://r.shop.example/v1/email/slot/1/click?t={token}",
    ]


def test_a_line_without_a_sound_id_comes_back_without_a_token():
    rows, links = made(f"name,id\nJane\n\nJoe,\nJim,{'x' * 257}\nJack,j\n", SPRING._replace(column="id", slots=1))
    assert [row[0] for row in rows] == ["name", "Jane", "Joe", "Jim", "Jack"]
    assert [link is not None for link in links] == [False, False, False, True]
    assert all(len(row) == len(rows[0]) for row in rows)


def run(stdin, *words, **environ):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VARDE_")} | environ
    return subprocess.run(
        [sys.executable, "-m", "varde.cli", "email-tokens", *words], input=stdin, capture_output=True, env=environ,
        timeout=60, check=False,
    )  # fmt: skip


def test_from_csv_to_csv():
    done = run("\ufeffid,stad\r\njane,Örebro\r\n,\r\n".encode(), "--send-id", "s", VARDE_LINK_SECRET=SECRET)
    assert done.returncode == 1
    assert b"1 recipients have no id" in done.stderr
    rows = list(csv.reader(io.StringIO(done.stdout.decode())))
    assert [row[:2] for row in rows] == [["id", "stad"], ["jane", "Örebro"], ["", ""]]
    assert tokens.read([SECRET], rows[1][2], time.time_ns() // 1_000_000).uid == "jane"


@pytest.mark.parametrize(
    ("stdin", "words", "said"),
    [
        (b"", [], b"no column"),
        (b"id\nj\n", ["--column", "key"], b"no column 'key'"),
        (b"id\n\xff\n", [], b"no CSV in UTF-8"),
        (b"id\nj\n", ["--slots", "2"], b"--slots needs --public-url"),
        (b"id\nj\n", ["--slots", "0"], b"from 1 to 100"),
        (b"id\nj\n", ["--placement", "a b"], b"letters"),
        (b"id\nj\n", ["--lang", "?"], b"BCP 47"),
        (b"id\nj\n", ["--currency", "euro"], b"ISO 4217"),
        (b"id\nj\n", ["--public-url", "r.shop.example"], b"address"),
    ],
)
def test_wrong_use_is_said(stdin, words, said, monkeypatch, capfd, tmp_path):
    source = tmp_path / "in.csv"
    source.write_bytes(stdin)
    monkeypatch.setenv("VARDE_LINK_SECRET", SECRET)
    with source.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        try:
            code = tokens_command.command(["--send-id", "s", *words])
        except SystemExit as end:
            code = end.code
    assert code == 2
    assert said in capfd.readouterr().err.encode()


def test_it_needs_the_secret_of_the_server():
    done = run(b"id\nj\n", "--send-id", "s")
    assert (done.returncode, b"VARDE_LINK_SECRET" in done.stderr) == (2, True)
