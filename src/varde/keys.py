"""The Redis grammar: every key family once. docs/redis.md describes each with type, bound, TTL, owner and bytes.

A key is `varde:1:{shard}:family…`. The number is the version of the keys. The braces are Redis Cluster's hash tag:
everything about an item lies in the slot of its shard, so one script may touch a whole batch of a shard's items.
Items appear in keys by number (`store` interns ids), customers by a keyed hash: no id from outside is ever part of a
key or parsed back out of one.
"""

from __future__ import annotations

import hashlib
import zlib

VERSION = 1
SCHEMA = 1
"""Version of what lies under these keys; `varde migrate` brings data of an older one up to it (store/schema.py)."""
MAX_SECRET_BYTES = 64
"""BLAKE2b's longest key."""
SHARDS = 64
"""Number of hash tags for item data. Part of the keys: a change needs a new VERSION and a rebuild."""

ANY_NUMBER = 0
"""The item number of pairs.ANY_ITEM in every shard; real items are numbered SHARDS and up."""


def shard_of(item: str) -> int:
    """The shard of an item id; ANY_ITEM is in shard 0."""
    return zlib.crc32(item.encode()) % SHARDS


def shard_of_number(number: int) -> int:
    """The shard of an item number: numbers are handed out as sequence x SHARDS + shard."""
    return number % SHARDS


NUMBERS = f"varde:{VERSION}:{{%d}}:numbers"
"""`numbers` as a format of the shard, also for personal.lua."""
ROW = f"varde:{VERSION}:{{%d}}:row:%d:%d"
"""`row` as a format of shard, relation and number, also for personal.lua."""


def _tag(shard: int) -> str:
    return f"varde:{VERSION}:{{{shard}}}"


def numbers(shard: int) -> str:
    """Hash: item id -> item number."""
    return NUMBERS % shard


def names(shard: int) -> str:
    """Hash: item number -> item id."""
    return f"{_tag(shard)}:names"


def sequence(shard: int) -> str:
    """Hash: `last` -> the last sequence number handed out, `server` -> run id of the server that did (intern.lua)."""
    return f"{_tag(shard)}:sequence"


def pairs(relation: int, number: int) -> str:
    """Hash: column item number -> pair count. Exact."""
    return f"{_tag(shard_of_number(number))}:pairs:{relation}:{number}"


def pairs_day(relation: int, number: int, day: int) -> str:
    """Hash: column item number -> difference of the pair count dated `day`."""
    return f"{_tag(shard_of_number(number))}:pairs:{relation}:{number}:{day}"


def supports(universe: int, shard: int) -> str:
    """Hash: item number -> support; ANY_NUMBER (shard 0) holds the number of customers. Exact."""
    return f"{_tag(shard)}:supports:{universe}"


def supports_day(universe: int, shard: int, day: int) -> str:
    """Hash: item number -> difference of the support dated `day`."""
    return f"{_tag(shard)}:supports:{universe}:{day}"


def row(relation: int, number: int) -> str:
    """String: the packed serving row (rows.py) of an item."""
    return ROW % (shard_of_number(number), relation, number)


def touched(shard: int) -> str:
    """Sorted set: RELATION:NUMBER of the rows written last, by the number of the call that did it (put_rows.lua)."""
    return f"{_tag(shard)}:touched"


MOST_TOUCHED = 4096
"""Rows kept in each shard's `touched`."""


def popular(signal: int, shard: int) -> str:
    """Sorted set: item number by decayed number of interactions."""
    return f"{_tag(shard)}:popular:{signal}"


def applied(shard: int, run: str, lane: int, block: int, part: int) -> str:
    """String used as a bitmap: one bit a batch that was applied (TOKEN_BLOCK batches a key)."""
    return f"{_tag(shard)}:applied:{run}:{lane}:{block}:{part}"


TOKEN_BLOCK = 4096
"""Batches per key of `applied`: 512 bytes a key."""


def stats(shard: int = 0) -> str:
    """Hash: counter name -> n, kept by the stream (docs/metrics.md); a counter is the sum over the shards."""
    return f"{_tag(shard)}:stats"


def recents(customer: str, signal: int) -> str:
    """Sorted set: what the customer did last with this signal (history.Signal), by time, ms.

    Members of views and carts are items, members of purchases entries of `varde.latest`. The member "" of the views
    holds the time of an erasure, for all three. `customer` is the key from `customer_key`; its sets share a tag.
    """
    return f"varde:{VERSION}:{{c{customer}}}:recents:{signal}"


def sticky(customer: str) -> str:
    """Hash: EXPERIMENT__VERSION -> the variation that the customer stays in. In the slot of the `recents`."""
    return f"varde:{VERSION}:{{c{customer}}}:sticky"


def frozen(customer: str) -> str:
    """Hash: a mailing and its placement -> the item that each slot shows. In the slot of the `recents`."""
    return f"varde:{VERSION}:{{c{customer}}}:frozen"


def opened(customer: str) -> str:
    """Sorted set: a mailing's slot by when its link was opened last, ms. In the slot of the `recents`."""
    return f"varde:{VERSION}:{{c{customer}}}:opened"


def tombstones(shard: int) -> str:
    """Sorted set: customer key by the time up to which that customer was erased, ms."""
    return f"{_tag(shard)}:tombstones"


def successor(shard: int) -> str:
    """Hash: the counts that a large hash of counts is about to be replaced by, one at a time (rewrite.lua)."""
    return f"{_tag(shard)}:next"


def reconciled() -> str:
    """Hash: `day`, the first day whose differences the last nightly rewrite kept, and `run`, its name."""
    return f"{_tag(0)}:reconciled"


def night() -> str:
    """Hash: how the last run of the nightly job went (store/vitals.py)."""
    return f"{_tag(0)}:night"


def under_way() -> str:
    """Hash: `run` and `step`, how far the nightly rewrite that is under way came."""
    return f"{_tag(0)}:under_way"


def schema() -> str:
    """Hash: `version` of the schema that the data has; `under_way`, and more, while an import or a migration is."""
    return f"{_tag(0)}:schema"


def lock() -> str:
    """String: the token of the run of the nightly job that is under way; nobody else may begin one (lock.lua)."""
    return f"{_tag(0)}:lock"


def catalogue(shard: int) -> str:
    """Hash: item id -> what is known of the item (catalogue.encode); "" -> time of the newest complete load, ms."""
    return f"{_tag(shard)}:catalogue"


def changes() -> str:
    """Stream: item ids whose catalogue entry has changed, or a mark that any may have."""
    return f"{_tag(0)}:changes"


def followers() -> str:
    """Hash: server process -> last entry of `changes` that it has applied, and when it said so, ms."""
    return f"{_tag(0)}:followers"


def loads() -> str:
    """Hash: feed load that has not told its end -> its time, ms."""
    return f"{_tag(0)}:loads"


def customer_key(user_id: str | None, anonymous_id: str | None, secret: bytes = b"") -> str:
    """The name of a customer in Redis: a keyed hash, so that Redis holds no customer id.

    Args:
        user_id: Segment's userId, when known.
        anonymous_id: used only without a userId.
        secret: VARDE_ID_SECRET; up to MAX_SECRET_BYTES.

    Raises:
        ValueError: the secret is longer.
    """
    kind, value = ("u", user_id) if user_id is not None else ("a", anonymous_id or "")
    text = f"{kind}:{value}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=12, key=secret, person=b"varde").hexdigest()
