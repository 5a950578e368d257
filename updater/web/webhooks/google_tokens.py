"""The token of Pub/Sub, where it is asked for: whose it is, for whom, until when, and whether Google signed it.

https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from updater.documents.base import DocumentLimits
from updater.documents.json_text import load_json
from updater.errors import ConfigError
from updater.web.webhooks.base import DeliveryError, text_at

if TYPE_CHECKING:
    from updater.web.webhooks.base import WebhookDelivery

#: certificates by the id of their key
CERTIFICATES: Final = "https://www.googleapis.com/oauth2/v1/certs"
_ISSUERS: Final = frozenset({"accounts.google.com", "https://accounts.google.com"})
_LONGEST: Final = 4096
_LEEWAY: Final = 60.0  # clocks differ
_LIMITS: Final = DocumentLimits(size=32 * 1024, depth=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A token as it was shown: the id of the key that signed *text*, and what it claims."""

    key: str
    text: bytes
    signature: bytes
    claims: Any


def token_of(delivery: WebhookDelivery) -> IssuedToken | None:
    """Return the token of a delivery, None where it shows none; raise `DeliveryError` for one that cannot be read."""
    scheme, _, shown = delivery.header("authorization").partition(" ")
    parts = shown.strip().split(".")
    if scheme.lower() != "bearer" or len(parts) != 3 or len(shown) > _LONGEST:
        return None
    try:
        head, claims = (load_json("", _decoded(part), caps=_LIMITS) for part in parts[:2])
        signature = _decoded(parts[2])
    except (ConfigError, ValueError):
        raise DeliveryError("the token is not that of Pub/Sub") from None
    if text_at(head, "alg") != "RS256":  # the token does not choose how it is verified
        raise DeliveryError("the token is not signed by RS256")
    return IssuedToken(key=text_at(head, "kid"), text=".".join(parts[:2]).encode(), signature=signature, claims=claims)


def fault_of(token: IssuedToken, *, account: str, audience: str, now: float) -> str:
    """Return what speaks against a token at *now*, in Unix time, apart from its signature; "" for nothing."""
    claims = token.claims
    if text_at(claims, "iss") not in _ISSUERS:
        return "the token is not issued by Google"
    if text_at(claims, "aud") != audience:
        return "the token is for another audience"
    if text_at(claims, "email") != account or claims.get("email_verified") is not True:
        return "the token is that of another account"
    ends, began = claims.get("exp"), claims.get("iat")
    if not (_is_number(ends) and _is_number(began) and began - _LEEWAY <= now < ends + _LEEWAY):
        return "the token is not valid at this time"
    return ""


def is_issued(token: IssuedToken, certificates: bytes) -> bool | None:
    """Return whether one of *certificates* signed a token, None where the one that it names is not among them."""
    try:
        pem = text_at(load_json("", certificates, caps=_LIMITS), token.key)
        if not pem:
            return None
        key = x509.load_pem_x509_certificate(pem.encode()).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            return False
        key.verify(token.signature, token.text, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ConfigError, ValueError):
        return False
    return True


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
