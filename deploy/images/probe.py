"""Asks the server in this container one path, /healthz or /readyz: exit code 0 when it answers 200, else 1.

For health checks of images, which have no curl. Nothing but the standard library, so that it starts at once.
"""

from __future__ import annotations

import http.client
import os
import sys

TIMEOUT_S = 4.0


def probe(path: str, port: int) -> int:
    """The exit code for GET `path` of the server on this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 1
    finally:
        connection.close()
    if status != http.client.OK:
        sys.stderr.write(f"{path}: {status}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(probe(sys.argv[1], int(os.environ.get("VARDE_PORT", "8080"))))
