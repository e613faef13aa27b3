"""OpenTelemetry traces, when the standard OTEL_ variables ask for them: one span a request, no id of a customer in it.

The extra `tracing` holds the packages; nothing of them is imported while traces are off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from varde.settings import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FLUSH_S = 3.0
"""Time that the last spans have when the server stops."""


class Spans:
    """Spans of requests, sent in batches by a thread of OpenTelemetry's own."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("varde.server")
        self._context = TraceContextTextMapPropagator()
        self._kind, self._fault = SpanKind.SERVER, Status(StatusCode.ERROR)

    def add(
        self,
        headers: Mapping[str, str],
        method: str,
        route: str,
        status: int,
        rung: str | None,
        request_id: str,
        seconds: float,
    ) -> None:
        """A request that was just answered; the caller (traceparent) or the sampler says whether it is sampled.

        Args:
            headers: of the request: W3C's traceparent and tracestate.
            method: GET …
            route: as docs/http-api.md writes it.
            status: of the answer.
            rung: of its list, if it is one.
            request_id: as in the answer.
            seconds: time taken.
        """
        parent = headers.get("traceparent")
        carrier = {} if parent is None else {"traceparent": parent, "tracestate": headers.get("tracestate", "")}
        ended = time.time_ns()
        span = self._tracer.start_span(
            f"{method} {route}",
            context=self._context.extract(carrier),
            kind=self._kind,
            start_time=ended - int(seconds * 1e9),
            attributes={
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "varde.request_id": request_id,
                **({} if rung is None else {"varde.rung": rung}),
            },
        )
        if status >= 500:
            span.set_status(self._fault)
        span.end(ended)

    def close(self) -> None:
        """Send what is left; takes at most FLUSH_S, also when nobody receives it."""
        last = threading.Thread(target=self._provider.shutdown, daemon=True)  # tries on for much longer
        last.start()
        last.join(FLUSH_S)


def spans(environ: Mapping[str, str]) -> Spans | None:
    """Spans as OTEL_* variables of this process say; None while no endpoint is given, or OTEL_SDK_DISABLED is true.

    Raises:
        SettingsError: an endpoint is given and the extra `tracing` is not installed.
    """
    given = [name for name in ENDPOINTS if environ.get(name)]
    if not given or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        msg = f"{given[0]}: traces need {error.name}; try: pip install 'varde[tracing]'"
        raise SettingsError(msg) from None
    named = "service.name" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "") or environ.get("OTEL_SERVICE_NAME")
    resource = Resource.create({} if named else {SERVICE_NAME: "varde"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider)
