import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from varde.demo import emulator, pubsub

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    found = emulator.start_standin(tmp_path_factory.mktemp("standin"))
    yield found.host
    found.stop()


@pytest.fixture(scope="session")
def google(broker: emulator.Emulator) -> str:
    if broker.kind == "standin":
        pytest.skip("Google's Pub/Sub emulator is not installed: it needs Java and the Cloud SDK's component")
    return broker.host


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
