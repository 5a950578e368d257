"""What a delivery is answered, and how its body is read: a bounded JSON document, or a form with one in its field payload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from updater.documents.base import DocumentLimits
from updater.documents.json_text import load_json
from updater.errors import ConfigError
from updater.web.webhooks.base import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.web.webhooks.base import WebhookDelivery

MOST_BYTES: Final = 1024 * 1024
#: set by a replica that hands a delivery on, so that none is handed on twice
FORWARDED: Final = "X-Updater-Forwarded"
RETRY: Final = {"Retry-After": "5"}
_LIMITS: Final = DocumentLimits(size=MOST_BYTES, depth=40)
_FORM: Final = "application/x-www-form-urlencoded"
_NO_PAYLOAD: Final = "the body is a form without the field payload; send JSON with Content-Type: application/json"


@dataclass(eq=False)
class DeliveryEnd(Exception):  # noqa: N818 - it ends a delivery, well or not
    """The end of a delivery: the status, the result that is counted, and a line for who reads the sender's log."""

    status: int
    result: str
    text: str
    headers: Mapping[str, str] | None = None


def parsed(delivery: WebhookDelivery) -> Any:
    """Return the document in the body; raise `DeliveryError`."""
    body = delivery.body
    if delivery.header("content-type").partition(";")[0].strip().lower() == _FORM:
        try:
            body = parse_qs(body.decode(), max_num_fields=20)["payload"][0].encode("utf-8", "surrogatepass")
        except (ValueError, LookupError):
            raise DeliveryError(_NO_PAYLOAD) from None
    try:
        return load_json("", body, caps=_LIMITS)
    except ConfigError as error:
        raise DeliveryError(error.message) from None
