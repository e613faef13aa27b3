"""Run a command that dies with its parent: `python -I -S leash.py PARENT_PID COMMAND…`. Elsewhere than on Linux it
only runs it.

A program of its own, not a `preexec_fn`: Python code between fork and exec can deadlock in a process with threads
(gRPC's, for one), and the wish to be killed survives exec. The kernel kills the child when the *thread* that started
it ends, so children are started from a thread that lives as long as they shall.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Become the command; returns only if the parent is gone already."""
    parent, command = int(argv[0]), argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the wish was made, so no signal will come
            return
    try:
        os.execvp(command[0], command)  # noqa: S606 - the caller's own command, not a shell
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
