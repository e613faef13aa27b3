"""A submission to Dataflow without Google: all of it is Beam's own but the uploads, which go into a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from apache_beam.runners.dataflow.internal import apiclient


@contextmanager
def uploads(into: Path) -> Iterator[None]:
    """Inside, what would go to Cloud Storage lies in `into` under the last part of its name."""

    def upload(_self: Any, _location: str, name: str, stream: Any, *_args: Any, **_kwargs: Any) -> None:
        (into / name).write_bytes(stream.read())

    def copy(_self: Any, from_path: str, to_path: str, *_args: Any, **_kwargs: Any) -> None:
        shutil.copy(from_path, into / Path(to_path).name)

    with (
        mock.patch.object(apiclient.DataflowApplicationClient, "stage_file", upload),
        mock.patch.object(apiclient.DataflowApplicationClient, "_gcs_file_copy", copy),
    ):
        yield
