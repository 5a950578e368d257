"""How senders prove that they have the secret: signatures over the raw body, or the secret itself in a header or the query."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

from updater.web.webhooks.base import Proof, Verifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.web.webhooks.base import WebhookDelivery


def signed(*headers: str, prefix: str = "", algorithm: str = "sha256") -> Verifier:
    """Verify an HMAC of the raw body in hexadecimal digits, in any of *headers*, with or without *prefix*."""

    def check(delivery: WebhookDelivery, secret: bytes) -> Proof:
        shown = [value for value in map(delivery.header, headers) if value]
        if not shown:
            return Proof.MISSING
        made = hmac.new(secret, delivery.body, getattr(hashlib, algorithm)).hexdigest()
        return _any_equal([value.removeprefix(prefix) for value in shown], made.encode())

    return Verifier(check=check, needs_body=True)


def shown(*headers: str) -> Verifier:
    """Verify the secret itself: in *headers*, in Authorization (as it is, as a bearer token or as the password), or ?secret=."""

    def check(delivery: WebhookDelivery, secret: bytes) -> Proof:
        values = [delivery.header(name) for name in (*headers, "x-webhook-secret")]
        values += [delivery.query.get("secret", ""), *_of_authorization(delivery.header("authorization"))]
        values = [value for value in values if value]
        return _any_equal(values, secret) if values else Proof.MISSING

    return Verifier(check=check)


def either(first: Verifier, second: Verifier) -> Verifier:
    """Verify by *first*, or by *second* where nothing is there for the first."""

    def check(delivery: WebhookDelivery, secret: bytes) -> Proof:
        found = first.check(delivery, secret)
        return second.check(delivery, secret) if found is Proof.MISSING else found

    return Verifier(check=check, needs_body=first.needs_body or second.needs_body)


def _any_equal(values: Sequence[str], wanted: bytes) -> Proof:
    """Compare each of *values* in constant time."""
    fits = [hmac.compare_digest(value.encode("utf-8", "surrogateescape"), wanted) for value in values]
    return Proof.FITS if any(fits) else Proof.WRONG


def _of_authorization(value: str) -> list[str]:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer":
        return [value, rest.strip()]
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(rest.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return [value]
        return [value, pair, pair.partition(":")[2]]
    return [value]
