"""A file that changes under a running server: new content is taken once it has settled, bad content never."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from varde.config import MOST_BYTES, ConfigError, read
from varde.watched import Beside, Watched, reader

GOOD, OTHER, BAD = "[placements.home]\nn = 3", "[placements.home]\nn = 4", "[placements.home]\nn = 0"


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "varde.toml"
    file.write_text(GOOD)
    return file


def watched(path: Path, clock: Clock) -> Watched:
    return Watched(partial(read, rankings=("llr",)), reader(path), clock)


def test_a_change_is_taken_when_two_readings_have_found_it(path: Path) -> None:
    clock = Clock()
    file = watched(path, clock)
    assert (file.config.placements["home"].n, file.loaded_at) == (3, 0)
    assert file.reload() == (None, None)
    path.write_text(OTHER)
    clock.now = 1000
    assert file.reload() == (None, None)
    assert file.config.placements["home"].n == 3
    clock.now = 2000
    assert file.reload().config is file.config
    assert (file.config.placements["home"].n, file.loaded_at) == (4, 2000)
    assert file.reload() == (None, None)


def test_an_empty_moment_between_two_contents_is_not_taken(path: Path) -> None:
    file = watched(path, Clock())
    for content in ("", OTHER[:18], OTHER):
        path.write_text(content)
        assert file.reload() == (None, None)
        assert file.config.placements["home"].n == 3
    assert file.reload().config is file.config


def test_bad_content_changes_nothing_and_is_reported_once(path: Path) -> None:
    file = watched(path, Clock())
    before = file.config
    path.write_text(BAD)
    reports = [file.reload() for _ in range(4)]
    why = "line 2: placements.home.n: must be a whole number from 1 to 100"
    assert reports == [(None, None), (None, why), (None, None), (None, None)]
    assert (file.config, file.error) == (before, why)
    path.write_text(GOOD)
    assert file.reload() == (None, None)
    assert file.error is None
    path.write_text(BAD)
    assert [file.reload().error for _ in range(3)] == [None, why, None]


def test_a_file_that_is_gone_changes_nothing_until_it_is_back(path: Path) -> None:
    file = watched(path, Clock())
    before = file.config
    path.unlink()
    assert [file.reload().error for _ in range(3)] == ["cannot be read: No such file or directory", None, None]
    assert file.config is before
    assert file.error
    path.write_text(OTHER)
    assert [file.reload().config for _ in range(2)] == [None, file.config]
    assert file.config.placements["home"].n == 4
    assert not file.error


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"\n\xff", "line 2: is not UTF-8"), (b" " * (MOST_BYTES + 1), "is larger"), (BAD.encode(), "placements.home.n")],
)
def test_bad_content_at_the_start_is_an_error(path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=why):
        watched(path, Clock())


def test_no_file_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        watched(tmp_path / "none.toml", Clock())


FEATURES = '{"f": {"rules": [{"hashVersion": 2, "coverage": 0.5, "variations": [{}, {"ranking": "llr"}]}]}}'


@pytest.fixture
def with_features(path: Path) -> Watched:
    path.write_text('growthbook = "features.json"')
    features(path).write_text(FEATURES)
    beside = Beside(path.parent)
    return Watched(lambda text: read(text, ("llr",), beside), reader(path), Clock(), beside)


def features(path: Path) -> Path:
    return path.parent / "features.json"


def coverage(file: Watched) -> float:
    return file.config.experiments["f"].coverage


def test_a_change_of_a_file_that_it_names_is_taken_too(path: Path, with_features: Watched) -> None:
    file = with_features
    version = file.config.version
    assert (coverage(file), file.reload()) == (0.5, (None, None))
    features(path).write_text(FEATURES.replace("0.5", "0.7"))
    assert [file.reload().config for _ in range(3)] == [None, file.config, None]
    assert coverage(file) == 0.7
    assert file.config.version != version


def test_a_broken_file_that_it_names_changes_nothing_until_it_is_mended(path: Path, with_features: Watched) -> None:
    file = with_features
    before = file.config
    for content, why in (
        ("{", "is not JSON"),
        (FEATURES.replace("0.5", "5"), "growthbook.f.coverage"),
        (None, "cannot be read"),
    ):
        if content is None:
            features(path).unlink()
        else:
            features(path).write_text(content)
        errors = [file.reload().error for _ in range(4)]
        assert errors == [None, file.error, None, None]
        assert file.error
        assert why in file.error
        assert file.config is before
    features(path).write_text(FEATURES)
    assert file.reload() == (None, None)
    assert (file.error, file.config) == (None, before)


def test_another_name_is_followed_from_then_on(path: Path, with_features: Watched) -> None:
    file, other = with_features, path.parent / "other.json"
    path.write_text('growthbook = "other.json"')
    assert [bool(file.reload().error) for _ in range(3)] == [False, True, False], "there is none yet"
    other.write_text(FEATURES.replace("0.5", "0.6"))
    assert [file.reload().config for _ in range(3)] == [None, file.config, None]
    assert coverage(file) == 0.6
    features(path).unlink()
    assert file.reload() == (None, None)
    other.write_text(FEATURES.replace("0.5", "0.8"))
    assert [file.reload().config for _ in range(2)] == [None, file.config]
    assert coverage(file) == 0.8


@pytest.mark.parametrize("name", ["gone.json", ".", "a\\u0000b"])
def test_no_file_of_that_name_at_the_start_is_an_error(path: Path, name: str) -> None:
    path.write_text(f'growthbook = "{name}"')
    beside = Beside(path.parent)
    with pytest.raises(ConfigError, match=r"line 1: growthbook: .*cannot be read"):
        Watched(lambda text: read(text, ("llr",), beside), reader(path), Clock(), beside)
