"""Mails in the configuration, names of sendings and lists, and what makes renders of one sending one exposure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import mailing
from varde.config import Config, ConfigError, read
from varde.exposure import exposure_id, list_id
from varde.mail_formats import FIELDS, Format
from varde.store.frozen import MOST_NOTE_BYTES, send_key

from .test_exposure import NOW, WINDOW, assignment, served

FORMULAS = ("llr",)


def config(text: str) -> Config:
    return read(text, FORMULAS)


def test_nothing_gives_the_defaults() -> None:
    email = config("").email
    assert (email.deadline_ms, email.freeze_days, email.lang, email.utm) == (400, 30, "en", None)
    assert list(email.formats) == ["default", "escaped", "xml", "voyado"]
    assert email.of("default") == mailing.Short()
    assert config("").feeds == {}


def test_what_is_said_of_mails() -> None:
    text = """
    [email]
    shop_url = "https://shop.example/se"
    utm = { utm_source = "varde", utm_term = "{item}-{position}" }
    [email.placements.default]
    min_items = 3
    too_few = "404"
    [email.formats.mine]
    shape = "xml"
    fields = { name = "title", always_empty = "" }
    [feeds.best]
    format = "mine"
    """
    made = config(text)
    assert made.email.utm == (("utm_source", "varde"), ("utm_term", "{item}-{position}"))
    assert made.email.of("default") == mailing.Short(min_items=3, too_few="404")
    mine = made.email.formats["mine"]
    assert mine == Format(name="mine", shape="xml", fields=(("name", "title"), ("always_empty", "")))
    assert made.feeds["best"] == mailing.Feed(name="best", format="mine")


REFUSED = [
    (1, "email.colour", "no such key", "email.colour = 1"),
    (2, "email.shop_url", "an address", "[email]\nshop_url = 'shop.example'"),
    (2, "email.shop_url", "an address", "[email]\nshop_url = 'https://shop.example?a=1'"),
    (2, "email.public_url", "an address", "[email]\npublic_url = 'https://me:secret@shop.example'"),
    (2, "email.deadline_ms", "from 50 to 2,000", "[email]\ndeadline_ms = 10"),
    (2, "email.lang", "language tag", "[email]\nlang = 'sv_SE'"),
    (2, "email.utm", "no {colour}", "[email]\nutm = { utm_source = '{colour}' }"),
    (2, "email.utm", "a name has", "[email]\nutm = { 'utm source' = 'x' }"),
    (1, "email.placements.nowhere", "no placement 'nowhere'", "[email.placements.nowhere]"),
    (2, "email.placements.default.too_few", "empty, 204 or 404", "[email.placements.default]\ntoo_few = '500'"),
    (1, "email.formats.voyado", "is there already", "[email.formats.voyado]"),
    (2, "email.formats.m.fields", "did you mean 'title'?", "[email.formats.m]\nfields = { name = 'titel' }"),
    (2, "email.formats.m.fields", "must name a field", "[email.formats.m]\nfields = {}"),
    (2, "email.formats.m.items", "must be a name", "[email.formats.m]\nitems = 'a b'"),
    (1, "feeds", "tables such as", "feeds = 1"),
    (1, "feeds.a b", "letters, digits", '[feeds."a b"]'),
    (2, "feeds.best.placement", "no placement", "[feeds.best]\nplacement = 'nowhere'"),
    (2, "feeds.best.format", "no format", "[feeds.best]\nformat = 'nothing'"),
    (2, "feeds.best.n", "from 1 to 500", "[feeds.best]\nn = 501"),
]


@pytest.mark.parametrize(("line", "where", "why", "text"), REFUSED)
def test_what_is_refused_and_where(line: int, where: str, why: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(text)
    assert (caught.value.line, caught.value.where) == (line, where)
    assert why in caught.value.why
    assert "secret" not in str(caught.value)


words = st.text(max_size=12)


@given(st.tuples(words, words, words), st.tuples(words, words, words))
def test_two_sendings_have_no_name_in_common(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Of sending, placement and unit."""
    names = [send_key(send, placement) for send, placement, _ in (one, other)]
    assert (names[0] == names[1]) == (one[:2] == other[:2])
    ids = [exposure_id(assignment(unit), NOW, send) for send, _, unit in (one, other)]
    same = (one[2], one[0]) == (other[2], other[0])
    assert (ids[0] == ids[1]) == (same or (one[2] == other[2] and not one[0] and not other[0]))


def test_a_sending_is_one_exposure_however_long_it_takes() -> None:
    def ids(now: int, seeds: tuple[str, ...], send_id: str | None) -> tuple[str, str]:
        exposure = exposure_id(assignment(), now, send_id)
        return exposure, list_id(exposure, "p", served(seeds=seeds, send_id=send_id))

    assert ids(NOW, ("a",), "s1") == ids(NOW + 100 * WINDOW, ("b", "a"), "s1")
    assert ids(NOW, ("a",), "s1")[0] != ids(NOW, ("a",), "s2")[0]
    assert ids(NOW, ("a",), None) != ids(NOW, ("b",), None)
    assert ids(NOW, ("a",), None)[0] != ids(NOW + WINDOW, ("a",), None)[0]


@given(words, st.text(max_size=400), words)
def test_a_note_is_read_as_it_was_written_unless_it_is_too_long(name: str, experiment: str, variation: str) -> None:
    name = "f" * 32
    note = mailing.note(name, experiment, variation)
    assert len(note.encode()) <= MOST_NOTE_BYTES
    assert mailing.noted(note) in ((name, experiment, variation), (name, "", ""))
    assert mailing.noted("no note") == ("", "", "")


def test_fields_are_what_the_default_format_has() -> None:
    assert Format(name="x").pairs == tuple((name, name) for name in FIELDS)
