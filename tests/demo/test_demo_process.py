import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from varde.demo.process import Child, ChildError, Children, start

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
WITH_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
PARENT = """
import sys, time
from functools import partial
from pathlib import Path
from varde.demo.process import start
child = start("sleeper", ["sleep", "600"], Path(sys.argv[1]) / "sleeper.log")
print(child.pid, flush=True)
time.sleep(600)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def ready(child: Child) -> bool:
    return bool(child.log.read_text().strip())


def test_a_child_runs_logs_and_is_ended(tmp_path: Path) -> None:
    child = start("echo", ["sh", "-c", "echo $GREETING; exec sleep 600"], tmp_path / "log", {"GREETING": "hei"})
    child.wait_until(lambda: child.tail() == "hei", 20)
    assert os.getpgid(child.pid) == child.pid
    assert child.stop() == -signal.SIGTERM
    assert child.stop() == -signal.SIGTERM
    assert not alive(child.pid)


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    child = start("stubborn", python(STUBBORN), tmp_path / "log")
    child.wait_until(lambda: ready(child), 20)
    assert child.stop(grace_s=0.2) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_childs_own_children_end_with_it(tmp_path: Path) -> None:
    child = start("family", python(WITH_A_CHILD), tmp_path / "log")
    child.wait_until(lambda: ready(child), 20)
    grandchild = int(child.tail())
    assert alive(grandchild)
    child.stop()
    assert until(lambda: not alive(grandchild))


@pytest.mark.skipif(sys.platform != "linux", reason="the parent's death reaches children on Linux only")
def test_no_child_survives_a_killed_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert until(lambda: not alive(pid))


def test_a_child_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = start("short", ["sh", "-c", "echo no licence >&2; exit 3"], tmp_path / "log")
    with pytest.raises(ChildError, match=r"short ended with code 3(.|\n)*no licence"):
        child.wait_until(lambda: False, 20)
    assert child.stop() == 3


def test_a_command_that_is_not_there_is_reported(tmp_path: Path) -> None:
    child = start("nothing", ["no-such-program-anywhere"], tmp_path / "log")
    with pytest.raises(ChildError, match="no-such-program-anywhere"):
        child.wait_until(lambda: False, 20)


def test_an_ended_childs_group_is_never_signalled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id may be a stranger's by then."""
    child = start("short", ["true"], tmp_path / "log")
    assert until(lambda: child.exit_code is not None)
    signalled: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, _number: signalled.append(group))
    child.kill()
    assert child.stop() == 0
    assert signalled == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_crashed_child_leaves_behind_ends_when_the_crash_is_seen(tmp_path: Path) -> None:
    child = start("family", python(WITH_A_CHILD), tmp_path / "log")
    child.wait_until(lambda: ready(child), 20)
    grandchild = int(child.tail())
    os.kill(child.pid, signal.SIGKILL)
    assert until(lambda: child.exit_code == -signal.SIGKILL)
    assert until(lambda: not alive(grandchild))


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with Children(tmp_path) as children, pytest.raises(ChildError, match="not ready after"):
        children.start("sleeper", ["sleep", "600"]).wait_until(lambda: False, 0.05)


def test_children_end_in_reverse_order_whatever_happens(tmp_path: Path) -> None:
    code = """
import signal, sys, time
def end(*_):
    open(sys.argv[1], "a").write(sys.argv[2])
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""
    order = tmp_path / "order"
    with pytest.raises(ZeroDivisionError), Children(tmp_path) as children:
        started = [children.start(name, [*python(code), str(order), name]) for name in "abc"]
        for child in started:
            child.wait_until(partial(ready, child), 20)
        children.check()
        raise ZeroDivisionError
    assert order.read_text() == "cba"
    assert [child.exit_code for child in started] == [0, 0, 0]
