"""What the OpenAPI document says of the collector: tables that `described`, `schemas` and `samples` take up."""

from __future__ import annotations

from typing import Any, Final

from varde.collecting import CALLS, MOST_MESSAGE_ID, MOST_MESSAGES

from .collector_routes import BATCHES, IGNORED, PICTURE, SETTINGS, SINGLE, WEBHOOK
from .description import Error, Operation, Parameter

TAG: Final = "Events"
TAGS = {TAG: "Segment's HTTP Tracking API and its webhook: what SDKs and Segment send."}

ERRORS = {
    "bad_body": Error(400, "the body cannot be read, is not JSON in UTF-8, or not what the route takes"),
    "bad_host": Error(400, "the header `Host`, by which browsers would be told where to send, is no host"),
    "unknown_write_key": Error(401, "no write key, or one that the configuration does not have"),
    "wrong_token": Error(401, "the webhook's second secret is missing or wrong"),
    "wrong_signature": Error(401, "`X-Signature` is missing or not of this body"),
    "collector_off": Error(404, "the configuration has no write keys"),
    "webhook_off": Error(404, "the server has no secrets of a webhook"),
    "no_such_source": Error(404, "settings of a write key that the configuration does not have"),
    "slow_body": Error(408, "the body took too long to come; send it again"),
    "body_too_large": Error(413, "the body has more than 500 kB, of a webhook 8 MB, decompressed"),
    "busy": Error(429, "too much waits for Pub/Sub; the header `Retry-After` says when to send it again"),
}
_TEXT: dict[str, Any] = {"type": "string"}
PARAMETERS = {
    "type": Parameter(
        {"type": "string", "enum": list(CALLS)}, "What the message is.", "track", place="path", required=True
    ),
    "writeKey": Parameter(
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}, "A write key.", "storefront", place="path"
    ),
    "data": Parameter(
        _TEXT, "The message as base64 of its JSON; or its fields, with dots: `properties.subject`.", "e30="
    ),
}

_ID = {"type": ["string", "integer", "null"]}
_FIELDS: dict[str, Any] = {
    "writeKey": {"type": ["string", "null"], "description": "Unless it is the user name of Basic."},
    "userId": _ID,
    "anonymousId": _ID,
    "event": {"type": ["string", "null"], "description": "The name of a `track`."},
    "properties": {"type": ["object", "null"]},
    "traits": {"type": ["object", "null"]},
    "context": {"type": ["object", "null"]},
    "timestamp": {"type": ["string", "null"], "description": "By the sender's clock."},
    "sentAt": {"type": ["string", "null"], "description": "By the same clock: its error is put right."},
    "messageId": {
        "type": ["string", "null"],
        "description": f"At most {MOST_MESSAGE_ID} characters, or it is replaced.",
    },
}
_MESSAGE: dict[str, Any] = {"type": "object", "properties": _FIELDS}
_BATCH: dict[str, Any] = {
    "type": "object",
    "properties": {
        "writeKey": _FIELDS["writeKey"],
        "sentAt": _FIELDS["sentAt"],
        "context": {"type": ["object", "null"], "description": "Of every message, which may say otherwise."},
        "integrations": {"type": ["object", "null"], "description": "In the same way."},
        "batch": {
            "type": "array",
            "items": {"type": "object", "properties": {**_FIELDS, "type": {"type": "string", "enum": list(CALLS)}}},
            "description": f"At most {MOST_MESSAGES:,} messages.",
        },
    },
    "required": ["batch"],
}
BODY_SCHEMAS: dict[str, dict[str, Any]] = {
    "Message": _MESSAGE,
    "Batch": _BATCH,
    "SdkMetrics": {"type": "object", "description": "Not read."},
    "SegmentEvents": {
        "anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}],
        "description": "An event as Segment has finished it, or an array of them.",
    },
}
ANSWERS: dict[str, dict[str, Any]] = {
    "Success": {
        "type": "object",
        "properties": {"success": {"const": True}},
        "required": ["success"],
        "additionalProperties": False,
    },
    "SourceSettings": {
        "type": "object",
        "properties": {"integrations": {"type": "object"}, "metrics": {"type": "object"}},
        "required": ["integrations", "metrics"],
        "additionalProperties": False,
    },
}
FOR_SDKS: dict[str, Any] = {
    "success": {"const": False, "description": "This and the next two: where Segment's SDKs read them."},
    "code": _TEXT,
    "message": _TEXT,
}
"""Fields of an error that only the collector's routes have."""
SAMPLES: dict[str, Any] = {
    "Success": {"success": True},
    "SourceSettings": {
        "integrations": {
            "Segment.io": {"apiKey": "storefront", "apiHost": "collect.shop.example/v1", "protocol": "https"}
        },
        "metrics": {"host": "collect.shop.example/v1", "sampleRate": 0},
    },
}
_VIEW = {
    "type": "track",
    "event": "Product Viewed",
    "anonymousId": "5f0c2a5e-2d6b-4a37-9d0e-3c1f7b8e9a10",
    "properties": {"product_id": "tent-aurora-2p"},
    "timestamp": "2026-05-04T09:30:00.000Z",
    "messageId": "ajs-next-1777887000000-5f0c2a5e",
}
BODIES: dict[str, Any] = {
    "Message": {**_VIEW, "sentAt": "2026-05-04T09:30:01.000Z", "writeKey": "storefront"},
    "Batch": {"batch": [_VIEW], "sentAt": "2026-05-04T09:30:01.000Z", "writeKey": "storefront"},
    "SdkMetrics": {"series": []},
    "SegmentEvents": [{**_VIEW, "receivedAt": "2026-05-04T09:30:01.100Z"}],
}

_TAKE = ("bad_body", "slow_body", "body_too_large", "busy", "no_topic", "not_published")
_KEYED = ("unknown_write_key", "collector_off", *_TAKE)
_DURABLE = "200: Pub/Sub has every message that is not left out (docs/collector.md). 429 and 503: send it again."


def _name(path: str, what: str) -> str:
    short = len(path.rsplit("/", 1)[1]) == 1
    return f"{what}Short" if short else what


def _taking(name: str, summary: str, body: str, codes: tuple[str, ...]) -> Operation:
    return Operation(name, TAG, summary, _DURABLE, "Success", (), codes, body=body)


OPERATIONS = {
    **{path: _taking(_name(path, call), f"One `{call}`", "Message", _KEYED) for path, call in SINGLE.items()},
    **{
        path: _taking(_name(path, path[4:] if len(path) > 5 else "batch"), "Many messages", "Batch", _KEYED)
        for path in BATCHES
    },
    IGNORED: Operation(
        "sdkMetrics", TAG, "What Segment's SDK counts about itself", "Taken, and not looked at.", "Success", (),
        ("collector_off", "bad_body", "slow_body", "body_too_large", "busy"), body="SdkMetrics",
    ),
    PICTURE: Operation(
        "pixel", TAG, "A message in the address of a picture",
        "Always a transparent dot, whatever became of the message. HEAD takes none.",
        parameters=("type", "data"), codes=("collector_off",), media="image/gif",
    ),
    SETTINGS: Operation(
        "sourceSettings", TAG, "What the SDK for browsers loads first", "They make it send to this server.",
        "SourceSettings", ("writeKey",), ("bad_host", "collector_off", "no_such_source"),
    ),
    WEBHOOK: _taking(
        "webhook", "Segment's webhook", "SegmentEvents", ("wrong_token", "wrong_signature", "webhook_off", *_TAKE)
    ),
}  # fmt: skip
