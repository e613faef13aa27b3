"""The file of an export: a header, blocks of compressed records, a trailer; each frame has a checksum.

MAGIC, then frames: kind u8, length u32, CRC-32 u32 of kind, length and content (little-endian), content. Kinds: HEADER
and TRAILER, JSON objects; BLOCK, zlib of concatenated MessagePack records. The trailer has the totals by family and the
BLAKE2b of everything before it, and nothing follows it; so a file that was cut or changed anywhere is known as such.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import msgpack

from varde.store.families import FAMILIES, Fate, Kind, family_of

MAGIC = b"\x89VARDE-EXPORT-1\n"
HEADER, BLOCK, TRAILER = 1, 2, 3
_FRAME = struct.Struct("<BII")
_SUMMED = struct.Struct("<BI")
BLOCK_BYTES = 1 << 20
"""Of records, before they are compressed, after which a block ends; a larger key is divided into several records."""
MOST_BYTES = 64 << 20
"""Largest block that is read, unpacked: the largest entry of a hash has 170 kB."""
LEVEL = 3
"""Of zlib: 6 takes twice as long for 4 % less (docs/benchmarks.md)."""


class ExportError(ValueError):
    """The file is not a whole export. The message says why."""


class Record(NamedTuple):
    """A key, or a part of a large one.

    part: 0 replaces the key, later ones add to it. expires: ms since the epoch, 0 for never. values: of a hash field
    and value in turn, of a sorted set member and score (text), of a string the one value.
    """

    key: bytes
    part: int
    expires: int
    values: list[bytes]

    @property
    def family(self) -> str:
        """Its family's name."""
        found = family_of(self.key)
        assert found is not None
        return found.family.name


class Whole(NamedTuple):
    """A file that was read to its end."""

    header: dict[str, Any]
    trailer: dict[str, Any]


class Writer:
    """Writes one file; nothing of it is valid before `close`."""

    def __init__(self, file: BinaryIO, header: dict[str, Any]) -> None:
        """Begin with the header, a JSON object."""
        self._file, self._digest = file, hashlib.blake2b(digest_size=32)
        self._block, self._size = bytearray(), 0
        self.keys: Counter[str] = Counter()
        self.entries: Counter[str] = Counter()
        self._put(MAGIC)
        self._frame(HEADER, _json(header))

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def add(self, key: bytes, expires: int, values: list[bytes]) -> None:
        """A whole key; in several records when it is large."""
        name = Record(key, 0, expires, values).family
        step = 1 if FAMILIES[name].kind is Kind.STRING else 2
        self.keys[name] += 1
        self.entries[name] += len(values) // step
        start = size = part = 0
        for at in range(0, len(values), step):
            size += sum(map(len, values[at : at + step]))
            if size >= BLOCK_BYTES:
                self._record(Record(key, part, expires, values[start : at + step]))
                start, size, part = at + step, 0, part + 1
        if start < len(values) or not part:
            self._record(Record(key, part, expires, values[start:]))

    def close(self, more: dict[str, Any]) -> dict[str, Any]:
        """Write the rest, and the trailer, which is returned."""
        self._flush()
        totals = {"keys": dict(sorted(self.keys.items())), "entries": dict(sorted(self.entries.items()))}
        trailer = more | totals | {"digest": self._digest.hexdigest()}
        self._frame(TRAILER, _json(trailer))
        return trailer

    def _record(self, record: Record) -> None:
        self._block += msgpack.packb(tuple(record))
        if len(self._block) >= BLOCK_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._block:
            self._frame(BLOCK, zlib.compress(bytes(self._block), LEVEL))
            self._block.clear()

    def _frame(self, kind: int, content: bytes) -> None:
        self._put(_FRAME.pack(kind, len(content), _sum(kind, content)) + content)

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True).encode()


def _sum(kind: int, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(_SUMMED.pack(kind, len(content))))


class Reader:
    """Reads one file from its beginning: first `header`, then `records` to their end, then `trailer`."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the header.

        Raises:
            ExportError: it is no export.
        """
        self._file, self._digest = file, hashlib.blake2b(digest_size=32)
        file.seek(0, 2)
        self._left = file.tell()
        file.seek(0)
        if self._take(len(MAGIC)) != MAGIC:
            msg = "not an export of `varde export`, or one of another format"
            raise ExportError(msg)
        kind, content = self._next()
        if kind != HEADER:
            msg = "it has no header"
            raise ExportError(msg)
        self.header = _object(content)
        self.trailer: dict[str, Any] = {}

    def records(self) -> Iterator[list[Record]]:
        """Blocks of records; after the last, everything was compared with the trailer.

        Raises:
            ExportError: cut, changed, or a record that no export has.
        """
        counted: Counter[str] = Counter()
        entries: Counter[str] = Counter()
        while True:
            digest = self._digest.hexdigest()
            kind, content = self._next()
            if kind != BLOCK:
                break
            block = _records(content)
            for record in block:
                name = record.family
                counted[name] += not record.part
                entries[name] += len(record.values) // (1 if FAMILIES[name].kind is Kind.STRING else 2)
            yield block
        if kind != TRAILER or self._left:
            msg = "it does not end with its trailer"
            raise ExportError(msg)
        self.trailer = _object(content)
        told = (self.trailer.get("digest"), self.trailer.get("keys"), self.trailer.get("entries"))
        if told != (digest, dict(counted), dict(entries)):
            msg = "its totals are not those of its trailer"
            raise ExportError(msg)

    def _next(self) -> tuple[int, bytes]:
        kind, length, told = _FRAME.unpack(self._take(_FRAME.size))
        content = self._take(length)
        if told != _sum(kind, content):
            msg = f"a checksum does not fit, before byte {self._file.tell():,}: it was changed"
            raise ExportError(msg)
        return kind, content

    def _take(self, size: int) -> bytes:
        found = b"" if size > self._left else self._file.read(size)
        if len(found) != size:
            msg = f"it ends too early, after byte {self._file.tell():,}: it was cut, or changed"
            raise ExportError(msg)
        self._left -= size
        self._digest.update(found)
        return found


def _object(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        msg = "its header or trailer is no JSON object"
        raise ExportError(msg)
    return told


def _records(content: bytes) -> list[Record]:
    try:
        unpacked = zlib.decompressobj().decompress(content, MOST_BYTES)
        found = [Record(*fields) for fields in _unpacked(unpacked)]
    except (zlib.error, msgpack.UnpackException, ValueError, TypeError) as error:
        msg = f"a block cannot be read: {error}"
        raise ExportError(msg) from None
    for record in found:
        if not _sound(record):
            msg = "a record is of no family that an export has"
            raise ExportError(msg)
    return found


def _unpacked(data: bytes) -> Iterator[list[Any]]:
    unpacker = msgpack.Unpacker(None, max_buffer_size=MOST_BYTES)
    unpacker.feed(data)
    yield from unpacker
    if unpacker.tell() != len(data):
        msg = "a record is cut"
        raise ValueError(msg)


def _sound(record: Record) -> bool:
    """Whether an import may write it: whatever the checksums say, it touches nothing but exported families."""
    key, part, expires, values = record
    found = family_of(key) if isinstance(key, bytes) else None
    if found is None or found.family.fate is not Fate.EXPORT or type(part) is not int or type(expires) is not int:
        return False
    if not isinstance(values, list) or not all(isinstance(value, bytes) for value in values):
        return False
    if found.family.kind is Kind.STRING:
        return len(values) == 1
    if found.family.kind is Kind.SORTED and not all(_number(score) for score in values[1::2]):
        return False
    return bool(values) and len(values) % 2 == 0 and part >= 0 and expires >= 0


def _number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_whole(file: BinaryIO) -> Whole:
    """Read a file to its end, and throw its records away.

    Raises:
        ExportError: it is not a whole export.
    """
    reader = Reader(file)
    for _ in reader.records():
        pass
    return Whole(reader.header, reader.trailer)
