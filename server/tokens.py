"""Tokens in the links of a mail: whose mail it is, sealed so that a mail shows no id and nobody can make a link. Pure.

A token is base64url of AES-SIV over msgpack (RFC 5297): encrypted and authenticated, without a nonce, so that the same
recipient of the same sending always has the same token. Its plain text is filled up to a multiple of 32 bytes, so that
its length says little about an id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgpack
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from .errors import ApiError

MOST_CHARACTERS = 4_000
"""Longest token that is read: more than the longest that is made."""
DAY_S = 86_400
DAYS = 90
"""How long a token is good unless somebody says otherwise, days."""
LANG_CHARACTERS = 35
"""Longest language tag."""
_PURPOSE = b"varde mail link 1"
_STEP = 32


class TokenError(ValueError):
    """No token of ours, or one that is over. reason: `missing`, `malformed`, `forged` or `expired`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Link(NamedTuple):
    """What a token says: the recipient (one of uid and aid), the sending, the list, and when it ends.

    expires: seconds since the epoch.
    """

    uid: str | None
    aid: str | None
    send_id: str
    placement: str
    campaign: str | None = None
    lang: str = ""
    currency: str = ""
    expires: int = 0


def make(secrets: Sequence[str], link: Link) -> str:
    """The token of a link, made with the first secret.

    Raises:
        ApiError: 503, there is no secret.
    """
    if not secrets:
        raise ApiError(503, "no_link_secret", "links of mails are switched off: the server has no VARDE_LINK_SECRET")
    text = msgpack.packb(list(link))
    text += bytes(-len(text) % _STEP)
    sealed = _cipher(secrets[0]).encrypt(text, [_PURPOSE])
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def read(secrets: Sequence[str], token: str | None, now: int) -> Link:
    """What a token says.

    Args:
        secrets: any of these may have made it.
        token: as it stands in the link.
        now: ms since the epoch.

    Raises:
        TokenError: it was not made here, or is over.
    """
    if not token:
        raise TokenError("missing")
    if len(token) > MOST_CHARACTERS or not token.isascii():
        raise TokenError("malformed")
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError("malformed") from None
    # The last character of unpadded base64 has bits that mean nothing: one token has one spelling.
    if len(sealed) < 16 + _STEP or base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != token:
        raise TokenError("malformed")
    for secret in secrets:
        try:
            text = _cipher(secret).decrypt(sealed, [_PURPOSE])
        except InvalidTag:
            continue
        unpacker = msgpack.Unpacker()
        unpacker.feed(text)
        link = Link(*unpacker.unpack())
        if link.expires * 1000 <= now:
            raise TokenError("expired")
        return link
    raise TokenError("forged")


def expiry(now: int, days: int = DAYS) -> int:
    """When a link that is made now ends, seconds since the epoch: the same for all that are made on one day (UTC)."""
    return (now // 1000 // DAY_S + 1 + days) * DAY_S


@lru_cache(maxsize=64)
def _cipher(secret: str) -> AESSIV:
    return AESSIV(hashlib.blake2b(secret.encode(), digest_size=64, person=b"varde link").digest())
