"""The ways a request fails: an answer (ApiError), Redis (StoreError, a fallback), Pub/Sub (PublishError)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class ApiError(Exception):
    """An answer that is an error: HTTP status, a code for programs, a sentence for people, the field at fault."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.headers = headers
        self.status = status
        self.code = code
        self.message = message
        self.field = field

    def body(self) -> dict[str, Any]:
        """The JSON form, the same for every error of the server."""
        return {"error": {"code": self.code, "message": self.message, "field": self.field}}


def bad_parameter(field: str, message: str) -> ApiError:
    """400: the request names something that cannot be answered; `field` is the parameter."""
    return ApiError(400, "bad_parameter", message, field)


class StoreError(Exception):
    """Redis did not answer in time, not at all, or with something unreadable; `reason` is a label of the metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PublishError(Exception):
    """Pub/Sub did not take a message, as far as is known. Says why; holds nothing of the message."""


class RefusedError(PublishError):
    """Pub/Sub will not take a message however often it is tried."""
