"""All options of the stream in one typed class: Beam's for the engine, Varde's settings, and the stream's own."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields, replace
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from varde import values
from varde.settings import PREFIX, SECRET, Settings, SettingsError, from_env

LOCAL_RUNNER = "BundleBasedDirectRunner"
"""Beam's local streaming runner, by name: its DirectRunner switch picks other engines on other machines."""

_SERVER_ONLY = {
    "cart_hours", "config", "host", "port", "min_customers", "deadline_ms", "topic", "exposures_topic",
    "exposures_queue", "collector_queue", "processes", "access_log",
}  # fmt: skip
_NOT_SENT: dict[str, Any] = {"admin_key": "", "topic": "", "link_secret": (), "webhook_secret": "", "webhook_token": ""}
"""What only the server needs and nobody else may read: it does not travel in a submitted job."""


_CATALOGUE = (
    "Subscription with changes of items, from ERP or PIM and never from browsers (docs/catalogue.md): "
    "projects/P/subscriptions/S. Default: none."
)


class StreamOptions(PipelineOptions):
    """`varde stream --help`. Settings default to their VARDE_* variables where the job is submitted."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        stream = parser.add_argument_group("Varde stream")
        stream.add_argument(
            "--input_subscription", help="Subscription with Segment's messages: projects/P/subscriptions/S."
        )
        stream.add_argument(
            "--dead_letter_topic",
            help="Topic for messages that cannot be read: projects/P/topics/T. Default: none; they are "
            "counted by reason, and their bytes are gone.",
        )
        stream.add_argument("--catalogue_subscription", help=_CATALOGUE)
        stream.add_argument(
            "--seeds",
            help="Files from `varde seeds`, whose counts Redis holds: begin with their histories. A path, gs:// too, "
            "with * for any part. Default: begin with none.",
        )
        stream.add_argument(
            "--freshness_seconds",
            type=int,
            default=1,
            help="Whole seconds for which differences are summed before they are written (default 1).",
        )
        stream.add_argument(
            "--lanes",
            type=int,
            default=1,
            help="Parallel sums before the write; about one per two workers (default 1).",
        )
        stream.add_argument(
            "--batch_updates", type=int, default=2000, help="Pair updates in one script call (default 2000)."
        )
        settings = parser.add_argument_group("Varde settings (default: the VARDE_* variable, then the value shown)")
        for setting in fields(Settings):
            # Secrets come from the environment only: options show in process lists and in Dataflow's console.
            if setting.name not in _SERVER_ONLY | SECRET:
                settings.add_argument(
                    f"--{setting.name}",
                    help=f"{setting.metadata['help']} [{_shown(setting.default)}]".replace("%", "%%"),
                )


def _shown(default: Any) -> str:
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


@dataclass(frozen=True, slots=True)
class StreamParameters:
    """The stream's options, checked."""

    settings: Settings
    run_id: str
    input_subscription: str | None = None
    dead_letter_topic: str | None = None
    freshness_seconds: int = 1
    lanes: int = 1
    batch_updates: int = 2000
    seeds: str | None = None
    catalogue_subscription: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.freshness_seconds <= 3600:  # Beam's trigger takes no fractions
            _refuse("freshness_seconds", "must be between 1 and 3600")
        if not 1 <= self.lanes <= 1024:
            _refuse("lanes", "must be between 1 and 1024")
        if not 1 <= self.batch_updates <= 5000:  # more would hold Redis up, and outgrow Lua's stack
            _refuse("batch_updates", "must be between 1 and 5000")
        if not self.run_id.isalnum() or len(self.run_id) > 40:
            _refuse("run_id", "must be 1 to 40 letters and digits")
        for name, kind in (
            ("input_subscription", "subscriptions"),
            ("catalogue_subscription", "subscriptions"),
            ("dead_letter_topic", "topics"),
        ):
            path = getattr(self, name)
            try:
                _ = path is None or values.resource(kind)(path)
            except ValueError as error:
                _refuse(name, str(error))


def _refuse(name: str, why: str) -> None:
    msg = f"--{name}: {why}"
    raise SettingsError(msg)


def parameters(options: PipelineOptions, environ: dict[str, str], run_id: str) -> StreamParameters:
    """Check the options against the environment.

    Args:
        options: parsed pipeline options.
        environ: where VARDE_* variables come from.
        run_id: names this life of the pipeline in its tokens. A new one for every start: panes are numbered from 0
            again, so under an old id the first batches would be taken for repeats.

    Raises:
        SettingsError: names the variable or option that makes no sense.
    """
    mine = options.view_as(StreamOptions)
    merged = dict(environ)
    given: dict[str, str] = {}
    for setting in fields(Settings):
        value = None if setting.name in _SERVER_ONLY | SECRET else getattr(mine, setting.name, None)
        if value is not None:
            given[PREFIX + setting.name.upper()] = f"--{setting.name}"
            merged[PREFIX + setting.name.upper()] = str(value)
    try:
        settings = replace(from_env(merged), **_NOT_SENT)
    except SettingsError as error:
        variable, _, rest = str(error).partition(":")
        msg = f"{given.get(variable, variable)}:{rest}"
        raise SettingsError(msg) from None
    if mine.redis_url is not None and values.has_password(mine.redis_url):
        _refuse("redis_url", "a password belongs in VARDE_REDIS_URL: whoever lists processes or jobs sees options")
    return StreamParameters(
        settings=settings,
        run_id=run_id,
        input_subscription=mine.input_subscription,
        dead_letter_topic=mine.dead_letter_topic,
        freshness_seconds=mine.freshness_seconds,
        lanes=mine.lanes,
        batch_updates=mine.batch_updates,
        seeds=mine.seeds,
        catalogue_subscription=mine.catalogue_subscription,
    )
