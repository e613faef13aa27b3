"""Traces against a receiver that speaks OTLP over HTTP: what is sent, whose trace it is, and nothing personal."""

import asyncio
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from varde.server import tracing
from varde.server.parts import PARTS
from varde.settings import SettingsError

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def receiver(monkeypatch):
    """(its address, the resources with spans that it was sent)."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    yield {"OTEL_EXPORTER_OTLP_ENDPOINT": url}, received
    server.shutdown()
    thread.join()
    server.server_close()


def value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def spans_of(received):
    return [
        (span, {each.key: value(each.value) for each in span.attributes})
        for _, request in received
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


async def test_a_span_a_request(serve, settings, receiver):
    environ, received = receiver
    client = await serve(settings)
    parts = client.app[PARTS]
    parts.spans = tracing.spans(environ)
    parent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "shop=1"}
    await client.get("/v1/similar/tent", headers=parent)
    await client.get("/v1/recommendations?uid=jane%40example.org&aid=device-1")
    await client.get("/v1/recommendations?uid=")
    await client.get("/jane@example.org", headers={"traceparent": "jane"})
    parts.spans.close()
    assert {path for path, _ in received} == {"/v1/traces"}
    found = spans_of(received)
    assert [(span.name, attributes) for span, attributes in found] == [
        (
            f"GET {route}",
            {
                "http.request.method": "GET",
                "http.route": route,
                "http.response.status_code": status,
                "varde.request_id": f"request-{n}",
                **rung,
            },
        )
        for n, (route, status, rung) in enumerate(
            [
                ("/v1/similar/{item}", 200, {"varde.rung": "pairs"}),
                ("/v1/recommendations", 200, {"varde.rung": found[1][1]["varde.rung"]}),
                ("/v1/recommendations", 400, {}),
                ("unmatched", 404, {}),
            ],
            1,
        )
    ]
    first, others = found[0][0], [span for span, _ in found[1:]]
    assert (first.trace_id.hex(), first.parent_span_id.hex(), first.trace_state) == (TRACE, PARENT, "shop=1")
    assert not any(span.parent_span_id for span in others), "what is no traceparent is none"
    assert all(0 < span.end_time_unix_nano - span.start_time_unix_nano < 20e9 for span, _ in found)
    sent = b"".join(request.SerializeToString() for _, request in received)
    assert b"jane" not in sent
    assert b"device-1" not in sent


async def test_whoever_asks_may_have_chosen_not_to_sample(serve, settings, receiver):
    environ, received = receiver
    client = await serve(settings)
    client.app[PARTS].spans = spans = tracing.spans(environ)
    await client.get("/v1/similar/tent", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    await client.get("/healthz")
    spans.close()
    assert [span.name for span, _ in spans_of(received)] == ["GET /healthz"]


def test_the_standard_variables_say_what_is_sampled_and_what_it_is_called(receiver, monkeypatch):
    environ, received = receiver
    for name, text in {"OTEL_TRACES_SAMPLER": "always_off", "OTEL_SERVICE_NAME": "shop"}.items():
        monkeypatch.setenv(name, text)
    spans = tracing.spans(environ)
    spans.add({}, "GET", "/healthz", 200, None, "r", 0.1)
    spans.close()
    assert received == []
    for name, service in {"shop": "shop", "": "varde"}.items():
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
        monkeypatch.setenv("OTEL_SERVICE_NAME", name)
        spans = tracing.spans({**environ, "OTEL_SERVICE_NAME": name})
        spans.add({}, "GET", "/healthz", 500, None, "r", 0.1)
        spans.close()
        _, request = received[-1]
        resource = {each.key: value(each.value) for each in request.resource_spans[0].resource.attributes}
        assert resource["service.name"] == service
    assert {span.status.code for span, _ in spans_of(received)} == {2}, "a fault of the server is an error"


def test_off_is_off(receiver):
    environ, _ = receiver
    assert tracing.spans({}) is None
    assert tracing.spans({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}) is None
    assert tracing.spans({**environ, "OTEL_SDK_DISABLED": "true"}) is None


def test_a_missing_extra_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: .*varde\[tracing\]"):
        tracing.spans({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"})


async def test_a_receiver_that_is_away_costs_no_answer_and_no_end(serve, settings, monkeypatch):
    monkeypatch.setattr(tracing, "FLUSH_S", 0.1)
    client = await serve(settings)
    client.app[PARTS].spans = spans = tracing.spans({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
    assert (await client.get("/v1/similar/tent")).status == 200
    before = time.monotonic()
    await asyncio.to_thread(spans.close)
    assert time.monotonic() - before < 3, "it would try for ten seconds"
