"""ECR: the event of EventBridge, as an API destination sends it, or inside the envelope of SNS.

Shapes: https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from updater.model.webhook import ImagePush
from updater.web.webhooks.base import WebhookReceiver, needed, text_at
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery

_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")


def read_action(document: Any) -> Iterator[ImagePush]:
    """Read an ECR Image Action; its registry follows from account and region, where both are there."""
    if text_at(document, "detail", "action-type") != "PUSH" or text_at(document, "detail", "result") != "SUCCESS":
        return
    path = needed(text_at(document, "detail", "repository-name"), "detail.repository-name")
    account, region = text_at(document, "account"), text_at(document, "region")
    registry = ""
    if _ACCOUNT.fullmatch(account) and _REGION.fullmatch(region):
        end = ".cn" if region.startswith("cn-") else ""
        registry = f"{account}.dkr.ecr.{region}.amazonaws.com{end}"
    yield ImagePush(registry=registry, path=path, tag=text_at(document, "detail", "image-tag"))


def _read(document: Any, _delivery: WebhookDelivery) -> Iterator[ImagePush]:
    yield from read_action(document)


ECR = WebhookReceiver(verifier=shown(), read=_read)
