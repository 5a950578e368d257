"""The envelope of SNS around an event of ECR: what its signature covers, and which URL of a certificate is Amazon's.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from updater.documents.base import DocumentLimits
from updater.documents.json_text import load_json
from updater.errors import ConfigError
from updater.web.webhooks.amazon import read_action
from updater.web.webhooks.base import DeliveryError, WebhookReceiver, text_at
from updater.web.webhooks.signatures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.model.webhook import ImagePush
    from updater.web.webhooks.base import WebhookDelivery

_CERTIFICATE: Final = re.compile(
    r"https://sns\.[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?"
    r"/SimpleNotificationService-[0-9a-f]{32}\.pem"
)
_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: Final[dict[str, type[hashes.SHA1 | hashes.SHA256]]] = {"1": hashes.SHA1, "2": hashes.SHA256}
_LIMITS: Final = DocumentLimits(size=256 * 1024, depth=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEnvelope:
    """What has to be proved before an envelope counts: its topic, the URL of its certificate, and its signature."""

    topic: str
    certificate_url: str
    signature: bytes
    version: str
    text: bytes


def envelope_of(document: Any) -> SignedEnvelope:
    """Read an envelope; raise `DeliveryError` where a part is missing, or where the certificate would not be Amazon's."""
    names = _SIGNED.get(text_at(document, "Type"))
    if names is None:
        raise DeliveryError("Type is no kind of message of SNS")
    url = text_at(document, "SigningCertURL")
    if not _CERTIFICATE.fullmatch(url):
        raise DeliveryError("SigningCertURL is not the address of a certificate of SNS")
    version = text_at(document, "SignatureVersion")
    if version not in _HASHES:
        raise DeliveryError("SignatureVersion is neither 1 nor 2")
    try:
        signature = base64.b64decode(text_at(document, "Signature"), validate=True)
    except (binascii.Error, ValueError):
        raise DeliveryError("Signature is not base64") from None
    text = "".join(f"{name}\n{text_at(document, name)}\n" for name in names if name in document)
    return SignedEnvelope(
        topic=text_at(document, "TopicArn"),
        certificate_url=url,
        signature=signature,
        version=version,
        text=text.encode("utf-8", "surrogatepass"),
    )


def is_signed(envelope: SignedEnvelope, pem: bytes) -> bool:
    """Return whether the certificate *pem* made the signature of *envelope*."""
    try:
        key = x509.load_pem_x509_certificate(pem).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            return False
        key.verify(envelope.signature, envelope.text, padding.PKCS1v15(), _HASHES[envelope.version]())
    except (InvalidSignature, ValueError):
        return False
    return True


def _read(document: Any, _delivery: WebhookDelivery) -> Iterator[ImagePush]:
    """Read the event in the message; a confirmation holds none, and its SubscribeURL is never called."""
    if text_at(document, "Type") != "Notification":
        return
    try:
        event = load_json("", text_at(document, "Message").encode("utf-8", "surrogatepass"), caps=_LIMITS)
    except ConfigError:
        raise DeliveryError("Message is not the event of EventBridge") from None
    yield from read_action(event)


ECR_SNS = WebhookReceiver(verifier=shown(), read=_read)
