"""The same graph through Beam's portable job service: real Job API, artifact staging and Fn API over gRPC."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import apache_beam as beam
import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from varde.demo.process import free_port
from varde.settings import Settings
from varde.store.sync import Store
from varde.streaming import write
from varde.streaming.options import StreamParameters
from varde.streaming.pipeline import build

from .world import NOW, clock, live, shop, truth

ATTEMPTS = 3
"""Starts, each with another port: one that was free may be taken before the service binds it."""


def job_service(folder, log):
    """(port, process) of a service that answers, or an error with the end of its log."""
    for _ in range(ATTEMPTS):
        port = free_port()
        command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main", "-p", str(port)]
        service = subprocess.Popen([*command, "--staging_dir", str(folder)], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            while service.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(grpc.FutureTimeoutError):
                    grpc.channel_ready_future(channel).result(timeout=0.5)
                    return port, service
        service.kill()
        service.wait(30)
    raise AssertionError((folder / "log").read_text()[-3000:])


@pytest.fixture
def job_endpoint(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        port, service = job_service(tmp_path, log)
        try:
            yield f"localhost:{port}"
        finally:
            service.terminate()
            service.wait(30)


def test_the_portable_runner_gives_the_same_counts(job_endpoint, redis_url):
    write._store.cache_clear()
    parameters = StreamParameters(settings=Settings(redis_url=redis_url, cap=8, window_days=10), run_id="portable")
    messages = shop(21, 200)
    options = PipelineOptions(
        ["--runner=PortableRunner", f"--job_endpoint={job_endpoint}", "--environment_type=LOOPBACK"]
    )
    with beam.Pipeline(options=options) as pipeline:
        source = pipeline | beam.Create([(data, NOW) for data in messages])
        build(source, parameters, bounded=True, clock=clock)
    store = Store.from_settings(parameters.settings)
    assert live(store) == truth(messages, parameters.settings.limits)
    store.close()
