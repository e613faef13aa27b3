"""What the OpenAPI document says of mails that are opened: tables that `described`, `schemas`, `samples` take up."""

from __future__ import annotations

from typing import Any

from varde.store.frozen import MOST_SLOT

from . import email_token, slots, tokens
from .described_email import TAG
from .description import Error, Operation, Parameter
from .params import MOST_ITEMS

ERRORS = {"no_link_secret": Error(503, "the server has no `VARDE_LINK_SECRET` to make links with")}
PARAMETERS = {
    "slot": Parameter(
        {"type": "integer", "minimum": 1, "maximum": MOST_SLOT}, "The place in the mail, from 1.", 1, place="path"
    ),
    "t": Parameter(
        {"type": "string", "maxLength": tokens.MOST_CHARACTERS},
        "The mail's token; any other parameter is left alone.",
        "k3rD5W0c6hJm1xQvT8yUe2SgPzBnLaFoIiKd4M7Xw9E",
    ),
}
_TEXT: dict[str, Any] = {"type": "string"}
_SLOT = {"position": _TEXT, "image_url": _TEXT, "click_url": _TEXT}
ANSWERS: dict[str, dict[str, Any]] = {
    "MailLinks": {
        "type": "object",
        "properties": {
            "token": _TEXT | {"description": "The same for one recipient and sending on one day (UTC)."},
            "expires_at": _TEXT | {"format": "date-time"},
            "slots": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": _SLOT,
                    "required": list(_SLOT),
                    "additionalProperties": False,
                },
                "maxItems": MOST_ITEMS,
            },
        },
        "required": ["token", "expires_at", "slots"],
        "additionalProperties": False,
    },
}
_TOKEN = PARAMETERS["t"].example
SAMPLES: dict[str, Any] = {
    "MailLinks": {
        "token": _TOKEN,
        "expires_at": "2026-08-03T00:00:00Z",
        "slots": [
            {
                "position": "1",
                "image_url": f"https://r.shop.example/v1/email/slot/1.png?t={_TOKEN}",
                "click_url": f"https://r.shop.example/v1/email/slot/1/click?t={_TOKEN}",
            }
        ],
    },
}
OPERATIONS = {
    email_token.ROUTE: Operation(
        "mailLinks", TAG, "The links of one mail",
        "Pictures and links of `n` places, for a mail whose items are chosen when it is opened. One of `uid` and `aid` "
        "is needed, and `send_id`. The key may stand in the query string as `key`.",
        "MailLinks", email_token.FIELDS, ("bad_parameter", "no_link_secret"),
    ),
    slots.PICTURE: Operation(
        "slotPicture", TAG, "The picture of a product in a mail",
        "Always a picture: the fallback card where there is nothing to show. HEAD and prefetches freeze nothing.",
        parameters=("slot", "t"), media="image/png",
    ),
    slots.CLICK: Operation(
        "slotClick", TAG, "To the product that the picture showed",
        "Leads to an address of the catalogue, or to the shop where there is none; 200 only where neither is known.",
        parameters=("slot", "t"), status=302, media="text/html", also=(200,),
    ),
}  # fmt: skip
