import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from varde.demo import emulator, process, pubsub

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    found = emulator.start_standin(tmp_path_factory.mktemp("standin"))
    yield found.host
    found.stop()


@pytest.fixture(scope="session")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        found = emulator.start_google(tmp_path_factory.mktemp("google"))
    except process.ChildError as error:
        pytest.skip(str(error).splitlines()[0])
    yield found.host
    found.stop()


@pytest.fixture(params=["standin", "google"])
def pubsub_host(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def names() -> pubsub.Names:
    number = next(_NUMBERS)
    return pubsub.Names(topic_id=f"topic-{number}", subscription_id=f"sub-{number}", dead_letters_id=f"dead-{number}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the shared data folder is not there: {folder}")
    return folder
