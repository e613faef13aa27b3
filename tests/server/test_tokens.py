"""Tokens of mails: only ours are read, each in one spelling, and nothing of the recipient shows."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.server import tokens
from varde.server.errors import ApiError
from varde.server.tokens import DAY_S, Link, TokenError

OLD, NEW = "old-secret-of-the-links-0123456789", "new-secret-of-the-links-0123456789"
NOW = 1_728_043_200_000
JANE = Link("jane@example.org", None, "spring-1", "mail", "spring", "sv", "SEK", tokens.expiry(NOW))
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(st.builds(Link, texts, st.none(), texts, texts, st.none() | texts, texts, texts, st.just(2**32 - 1)))
def test_what_goes_in_comes_out(link):
    token = tokens.make([NEW], link)
    assert tokens.read([OLD, NEW], token, NOW) == link
    assert token == tokens.make([NEW], link)
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_token_shows_nothing_of_whom_it_is_for():
    token = tokens.make([NEW], JANE)
    raw = base64.urlsafe_b64decode(token + "==")
    for text in ("jane", "spring", "mail", "example"):
        assert text not in token
        assert text.encode() not in raw
    assert len({len(tokens.make([NEW], JANE._replace(uid="x" * n))) for n in range(8, 17)}) == 1
    longest = Link("x" * 256, None, "x" * 128, "x" * 64, "x" * 128, "x" * 35, "SEK", 2**32)
    assert len(tokens.make([NEW], longest)) <= tokens.MOST_CHARACTERS


def test_every_change_of_a_character_is_noticed():
    token = tokens.make([NEW], JANE)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place in range(len(token)):
        other = alphabet[(alphabet.index(token[place]) + 1) % 64]
        with pytest.raises(TokenError):
            tokens.read([NEW], token[:place] + other + token[place + 1 :], NOW)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        ("a", "malformed"),
        ("å" * 80, "malformed"),
        ("!" * 80, "malformed"),
        ("A" * 5000, "malformed"),
        ("A" * 63, "malformed"),
        ("A" * 64, "forged"),
        (tokens.make([NEW], JANE) + "=", "malformed"),
        (tokens.make([NEW], JANE) + "\n", "malformed"),
        (tokens.make([OLD], JANE), "forged"),
        (tokens.make([NEW], JANE)[:-3], "forged"),
        (tokens.make([NEW], JANE._replace(expires=NOW // 1000)), "expired"),
    ],
)
def test_what_is_no_token_is_refused_and_says_why(token, reason):
    with pytest.raises(TokenError) as caught:
        tokens.read([NEW], token, NOW)
    assert caught.value.reason == reason


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_anything_else_is_an_error_and_nothing_worse(text):
    with pytest.raises(TokenError):
        tokens.read([OLD, NEW], text, NOW)


def test_secrets_are_rotated_without_breaking_a_link():
    before = tokens.make([OLD], JANE)
    assert tokens.read([NEW, OLD], before, NOW) == JANE
    after = tokens.make([NEW, OLD], JANE)
    assert tokens.read([NEW], after, NOW) == JANE
    with pytest.raises(TokenError):
        tokens.read([NEW], before, NOW)
    with pytest.raises(TokenError):
        tokens.read([], after, NOW)


def test_without_a_secret_no_token_is_made():
    with pytest.raises(ApiError) as caught:
        tokens.make([], JANE)
    assert caught.value.status == 503


def test_tokens_of_one_day_are_the_same():
    morning, evening = NOW // (DAY_S * 1000) * DAY_S * 1000, NOW // (DAY_S * 1000) * DAY_S * 1000 + DAY_S * 1000 - 1
    assert tokens.expiry(morning) == tokens.expiry(evening)
    assert tokens.expiry(evening) * 1000 - evening > tokens.DAYS * DAY_S * 1000
    assert tokens.expiry(evening + 1) == tokens.expiry(evening) + DAY_S
