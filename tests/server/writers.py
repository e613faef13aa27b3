"""The exposure writer without its process: what tests look at or put something wrong into."""

import asyncio
import os
import socket

import orjson

from varde.server.exposure_records import Records
from varde.server.exposure_writer import write
from varde.server.outbox import SENT


class Here:
    """Instead of a process: a task of this event loop, at the same socket."""

    def __init__(self, server):
        self.pid = os.getpid()
        ours = socket.socket(fileno=os.dup(server.fileno()))
        self._task = asyncio.get_running_loop().create_task(write(ours, lambda level: None))

    def kill(self):
        self._task.cancel()

    def wait(self):
        return 0


class Box:
    """Instead of an outbox: takes everything at once."""

    def __init__(self, counted=lambda result, reason, n: None):
        self.messages, self._counted = [], counted

    def put(self, data):
        self.messages.append(orjson.loads(data))
        self._counted(SENT, "", 1)


def recorded(parts):
    """The messages that a server would publish from now on, each from the moment of its list."""
    exposures = parts.shown.exposures
    box = Box(exposures.account)
    records = Records(box, None, exposures.account, lambda error: None)

    def taken():
        while line := exposures.handed():
            for fields in orjson.loads(line):
                records.take(fields)
        exposures.wake = taken

    exposures._topic, exposures.wake = True, taken
    return box.messages
