"""Tests beside each other: what measures time runs with nothing beside it, and gets its turn."""

from __future__ import annotations

import fcntl
import threading
import time
from pathlib import Path

import pytest
from tests.turns import turn

DEADLINE_S = 20.0


def free(file: Path, kind: int) -> bool:
    """Whether a lock of this kind could be had at this moment."""
    with file.open("a") as opened:
        try:
            fcntl.flock(opened, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_others_may_come_beside_one_and_nobody_beside_one_alone(tmp_path: Path) -> None:
    door, room = tmp_path / "door", tmp_path / "room"
    with turn(tmp_path, alone=False):
        assert free(door, fcntl.LOCK_EX)
        assert free(room, fcntl.LOCK_SH)
        assert not free(room, fcntl.LOCK_EX)
    with turn(tmp_path, alone=True):
        assert not free(room, fcntl.LOCK_SH)
    with pytest.raises(ZeroDivisionError), turn(tmp_path, alone=True):
        raise ZeroDivisionError
    assert free(door, fcntl.LOCK_EX)
    assert free(room, fcntl.LOCK_EX)


def test_who_wants_to_be_alone_goes_before_those_who_come_later(tmp_path: Path) -> None:
    came: list[str] = []

    def come(name: str, alone: bool) -> None:
        with turn(tmp_path, alone=alone):
            came.append(name)

    with turn(tmp_path, alone=False):
        first = threading.Thread(target=come, args=("alone", True))
        first.start()
        deadline = time.monotonic() + DEADLINE_S
        while free(tmp_path / "door", fcntl.LOCK_EX):
            assert time.monotonic() < deadline, "it does not wait in the door"
            time.sleep(0.001)
        later = threading.Thread(target=come, args=("later", False))
        later.start()
        assert came == []
    first.join(DEADLINE_S)
    later.join(DEADLINE_S)
    assert came == ["alone", "later"]
