"""`varde reconcile` in a process that kills itself (SIGKILL) when it has sent a number of commands to Redis.

python -m tests.batch.killed NUMBER before|after|pause ARGUMENT...

With `pause` it says PAUSED instead, and goes on with the next line of standard input.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from varde.batch import main
from varde.settings import Settings
from varde.store.night import NightStore
from varde.store.sync import Store

from .nights import NOW

left = int(sys.argv[1])
sent = 0
send = Store._send


def counted(self: Store, commands: Any) -> Any:
    """Send; or die before, or after."""
    global left, sent
    left -= 1
    sent += 1
    if left == 0 and sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    replies = send(self, commands)
    if left == 0 and sys.argv[2] == "pause":
        print("PAUSED", flush=True)
        sys.stdin.readline()
    elif left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replies


def at_the_shops_time(settings: Settings) -> NightStore:
    """A store whose clock is that of the messages."""
    return opened(settings, lambda: NOW)


opened = NightStore.from_settings

if __name__ == "__main__":
    NightStore.from_settings = at_the_shops_time  # type: ignore[method-assign,assignment]
    Store._send = counted  # type: ignore[method-assign,assignment]
    code = main.command(sys.argv[3:])
    print(f"SENT {sent}")
    sys.exit(code)
