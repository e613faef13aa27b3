"""`varde reconcile` in a process that kills itself (SIGKILL) when it has sent a number of commands to Redis.

python -m tests.batch.killed NUMBER before|after ARGUMENT...
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from varde.batch import main
from varde.store.sync import Store

left = int(sys.argv[1])
send = Store._send


def counted(self: Store, commands: Any) -> Any:
    """Send; or die before, or after."""
    global left
    left -= 1
    if left == 0 and sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    replies = send(self, commands)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replies


if __name__ == "__main__":
    Store._send = counted  # type: ignore[method-assign]
    sys.exit(main.command(sys.argv[3:]))
