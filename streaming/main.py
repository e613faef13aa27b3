"""`varde stream`: options in, a running pipeline out. The runner is always named, never left to a switch."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import uuid
from types import FrameType

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
)

from varde.settings import SettingsError
from varde.store import schema

from . import local_runner, local_source
from .options import LOCAL_RUNNER, StreamOptions, StreamParameters, parameters
from .pipeline import from_pubsub

_log = logging.getLogger(__name__)


def options(argv: list[str]) -> PipelineOptions:
    """Beam's options from the command line, with what the stream always needs.

    Raises:
        SettingsError: an unknown option, or a runner that would be chosen by a switch.
    """
    parsed = PipelineOptions(argv)
    unknown = _unknown(parsed)
    if unknown:
        msg = f"{unknown[0]}: no such option; see varde stream --help"
        raise SettingsError(msg)
    standard = parsed.view_as(StandardOptions)
    if standard.runner is None:
        standard.runner = LOCAL_RUNNER
    if standard.runner in ("DirectRunner", "SwitchingDirectRunner"):
        msg = f"--runner: {standard.runner} picks an engine by itself; name one, for example {LOCAL_RUNNER}"
        raise SettingsError(msg)
    standard.streaming = True
    # Steps are importable from the installed package, so the main session is never pickled.
    parsed.view_as(SetupOptions).save_main_session = False
    if standard.runner == "DataflowRunner":
        cloud = parsed.view_as(GoogleCloudOptions)
        cloud.enable_streaming_engine = True
        parsed.view_as(GoogleCloudOptions).job_name = cloud.job_name or "varde-stream"
    return parsed


def _unknown(parsed: PipelineOptions) -> list[str]:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for cls in PipelineOptions.__subclasses__():
        cls._add_argparse_args(parser)
    _, rest = parser.parse_known_args(parsed._flags)
    return list(rest)


def assemble(argv: list[str], environ: dict[str, str]) -> tuple[beam.Pipeline, StreamParameters]:
    """The pipeline, built and not yet run.

    Raises:
        SettingsError: names the option or variable that makes no sense.
    """
    chosen = options(argv)
    checked = parameters(chosen, environ, uuid.uuid4().hex[:12])
    if checked.input_subscription is None:
        msg = "--input_subscription: required, projects/PROJECT/subscriptions/NAME"
        raise SettingsError(msg)
    try:
        pipeline = beam.Pipeline(options=chosen)
        from_pubsub(pipeline, checked)
    except ValueError as error:  # Beam's own checks, which name their options
        raise SettingsError(str(error)) from None
    return pipeline, checked


def run(argv: list[str], environ: dict[str, str] | None = None) -> int:
    """Build and run until stopped (local) or submitted (Dataflow).

    Returns:
        0 after an orderly end, 1 when the pipeline failed.

    Raises:
        SettingsError: names the option or variable that makes no sense.
    """
    if "--help" in argv or "-h" in argv:
        _help()
        return 0
    pipeline, checked = assemble(argv, dict(os.environ) if environ is None else environ)
    runner = pipeline.options.view_as(StandardOptions).runner
    logging.getLogger("apache_beam.typehints").setLevel(logging.WARNING)  # a line for each annotation it cannot read
    local = runner != "DataflowRunner"
    if local:
        local_runner.repair()
        local_runner.spare_the_collector()
    if local:  # whoever submits a job may not reach Redis; the workers look, too
        schema.look(checked.settings, _log.warning, note=True)
    _log.info("stream starts: runner %s, run id %s", runner, checked.run_id)
    if not checked.settings.id_secret:
        _log.warning("VARDE_ID_SECRET is not set: whoever reads Redis can test guesses of customer ids")
    if not checked.dead_letter_topic:
        _log.warning("--dead_letter_topic is not set: faulty messages are only counted, their bytes are gone")
    result = pipeline.run()
    if not local:
        _log.info("submitted; watch it in the console, or: gcloud dataflow jobs list")
        return 0

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        result.wait_until_finish()
    except KeyboardInterrupt:
        _log.info("stream stops")
        local_source.stop()
        result.cancel()
        return 0
    except Exception:  # noqa: BLE001 - whatever ends a pipeline is logged whole and becomes the exit code
        _log.exception("the stream failed")
        return 1
    return 0


def _help() -> None:
    parser = argparse.ArgumentParser(
        prog="varde stream",
        description="Run the stream: Segment's messages from Pub/Sub into counts in Redis. "
        f"Locally by default (--runner {LOCAL_RUNNER}); on Google Cloud with --runner DataflowRunner "
        "--setup_file ./setup.py and Beam's own options (--project, --region, --temp_location, "
        "--staging_location, --max_num_workers …).",
    )
    parser.add_argument("--runner", default=LOCAL_RUNNER, help=f"Engine, by name [{LOCAL_RUNNER}].")
    StreamOptions._add_argparse_args(parser)
    parser.print_help(sys.stdout)
