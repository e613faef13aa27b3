"""Files of people's that are replaced at once or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .seeds import replaced


def replace(path: Path, content: bytes) -> None:
    """Make a file hold these bytes; another process sees the old content or the new, whatever happens.

    A link stays one: the file that it leads to is replaced. Permissions stay as they were.

    Args:
        path: the file; it need not be there, its folder must.
        content: all of it.

    Raises:
        OSError: it cannot be written; what stood there stands.
    """
    target = path.resolve()
    with replaced(target) as out:
        if target.exists():
            os.fchmod(out.fileno(), stat.S_IMODE(target.stat().st_mode))
        out.write(content)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # without this a power cut may undo the rename
    finally:
        os.close(folder)
