"""Receive webhooks: bounded bodies, verified before they are parsed, answered before anything is done."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import web

from updater.errors import UpdaterError
from updater.model.webhook import WebhookKind
from updater.web.canaries import DeliveryDesk, canary_routes
from updater.web.deliveries import FORWARDED, MOST_BYTES, RETRY, DeliveryEnd, parsed
from updater.web.webhooks import RECEIVERS, DeliveryError, Proof, WebhookDelivery
from updater.web.webhooks.base import text_at
from updater.web.webhooks.google_tokens import CERTIFICATES, fault_of, is_issued, token_of
from updater.web.webhooks.sns import envelope_of, is_signed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from updater.model.webhook import Push
    from updater.settings.web import WebhookSettings

MOST_HELD: Final = 32 * 1024 * 1024  # of all bodies that are being read
SLOWEST_BODY: Final = 10.0
WEB_PATHS: Final = "/webhooks/<name> /webhook /healthz"
#: the types of Argo CD Image Updater's webhook server
PEER_TYPES: Final = {
    "docker.io": WebhookKind.DOCKER_HUB,
    "ghcr.io": WebhookKind.GITHUB,
    "quay.io": WebhookKind.QUAY,
    "harbor": WebhookKind.HARBOR,
    "acr": WebhookKind.ACR,
    "aliyun-acr": WebhookKind.ALIYUN,
    "cloudevents": WebhookKind.CLOUDEVENTS,
}
_OF_ONE_HOP: Final = frozenset({"host", "content-length", "connection", "transfer-encoding", "keep-alive", "te", "upgrade"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedDelivery:
    """A delivery as the replica that leads gets it: it verifies everything again."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Desk(Protocol):
    """Who knows the senders and takes what they say; see `updater.daemon.webhooks.WebhookDesk`."""

    @property
    def senders(self) -> Sequence[WebhookSettings]:
        """The senders that are configured."""
        ...

    async def secret(self, sender: WebhookSettings) -> bytes:
        """Return the secret of a sender; raise `UpdaterError` where it cannot be read."""
        ...

    async def certificate(self, url: str, *, again: bool = False) -> bytes:
        """Return certificates of SNS or Google, whose address was checked; *again* where one is missing. Raise `UpdaterError`."""
        ...

    def may_send(self, sender: WebhookSettings) -> bool:
        """Return whether a sender may send one more delivery now."""
        ...

    def may_take(self) -> bool:
        """Return whether this replica is the one that scans."""
        ...

    async def forward(self, delivery: ForwardedDelivery) -> int:
        """Hand a delivery to the replica that leads; return its status, 0 where it did not answer or is not known."""
        ...

    def count(self, name: str, result: str) -> None:
        """Count a delivery and what became of it."""
        ...

    def confirm(self, sender: WebhookSettings, token: str) -> None:
        """Tell people that a topic of SNS waits for its subscription to be confirmed."""
        ...

    def take(self, sender: WebhookSettings, pushes: Sequence[Push]) -> str:
        """Take what a delivery said; return what became of it."""
        ...


class Reception:
    """The routes of webhooks over *desk*."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._held = 0

    async def by_name(self, request: web.Request) -> web.Response:
        """Answer a delivery to /webhooks/ and the name of its sender."""
        name = request.match_info["name"]
        return await self.receive(request, [item for item in self._desk.senders if item.name == name])

    async def by_type(self, request: web.Request) -> web.Response:
        """Answer a delivery to /webhook, as Argo CD Image Updater has it: the query or a header says the type."""
        asked = request.query.get("type") or request.headers.get("X-Registry-Type") or ""
        kind = PEER_TYPES.get(asked)
        return await self.receive(request, [item for item in self._desk.senders if item.kind is kind])

    async def receive(
        self,
        request: web.Request,
        senders: Sequence[WebhookSettings],
        end_of: Callable[[web.Request, WebhookSettings, WebhookDelivery], Awaitable[DeliveryEnd]] | None = None,
    ) -> web.Response:
        """Answer a delivery of one of *senders*; *end_of* says what becomes of it once it is verified."""
        if not senders:
            self._desk.count("", "unknown")
            return _response(DeliveryEnd(404, "unknown", "no webhook is configured here"))
        name = senders[0].name
        try:
            _check_size(request)
            sender, delivery = await self._verified(request, senders)
            name = sender.name
            answer = await (end_of or self._end_of)(request, sender, delivery)
        except DeliveryEnd as end:
            answer = end
        self._desk.count(name, answer.result)
        return _response(answer)

    async def _verified(
        self, request: web.Request, senders: Sequence[WebhookSettings]
    ) -> tuple[WebhookSettings, WebhookDelivery]:
        """Return who sent a delivery and all of it; strangers are refused before their body is read, where that can be."""
        verifier = RECEIVERS[senders[0].kind].verifier
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery = WebhookDelivery(headers=headers, query=request.query)
        secrets = [(sender, await self._secret(sender)) for sender in senders]
        if verifier.needs_body:
            delivery = replace(delivery, body=await self._body(request))
        proofs = {verifier.check(delivery, secret): sender for sender, secret in reversed(secrets)}
        if Proof.FITS not in proofs:
            raise _stranger(proofs)
        if not verifier.needs_body:
            delivery = replace(delivery, body=await self._body(request))
        return proofs[Proof.FITS], delivery

    async def _end_of(self, request: web.Request, sender: WebhookSettings, delivery: WebhookDelivery) -> DeliveryEnd:
        """Return what becomes of a delivery that is verified."""
        if not self._desk.may_send(sender):
            return DeliveryEnd(429, "limited", "too many deliveries", RETRY)
        if not self._desk.may_take():
            return await self._forwarded(request, delivery)
        try:
            document = parsed(delivery)
            if sender.kind is WebhookKind.ECR_SNS:
                await self._prove(sender, document)
            elif sender.account is not None:
                await self._prove_token(sender, delivery)
            result = self._desk.take(sender, tuple(RECEIVERS[sender.kind].read(document, delivery)))
        except DeliveryError as error:
            return DeliveryEnd(400, "malformed", str(error))
        return DeliveryEnd(202, result, result)

    async def _prove(self, sender: WebhookSettings, document: Any) -> None:
        """Refuse an envelope that SNS did not sign, or that is of another topic: Amazon signs for everybody."""
        envelope = envelope_of(document)
        if envelope.topic != sender.topic:
            raise DeliveryEnd(403, "refused", "the topic is another one")
        try:
            pem = await self._desk.certificate(envelope.certificate_url)
        except UpdaterError:
            raise DeliveryEnd(503, "unavailable", "the certificate of SNS cannot be read", RETRY) from None
        if not is_signed(envelope, pem):
            raise DeliveryEnd(403, "refused", "the signature is wrong")
        if text_at(document, "Type") == "SubscriptionConfirmation":
            self._desk.confirm(sender, text_at(document, "Token"))

    async def _prove_token(self, sender: WebhookSettings, delivery: WebhookDelivery) -> None:
        """Refuse a delivery without a token that Google issued to the account of *sender*."""
        if (token := token_of(delivery)) is None:
            raise DeliveryEnd(401, "unsigned", "the token of the service account is missing")
        if fault := fault_of(token, account=sender.account or "", audience=sender.audience or "", now=time.time()):
            raise DeliveryEnd(403, "refused", fault)
        found: bool | None = None
        try:
            for again in (False, True):  # Google signs with another key every few days
                if found is None:
                    found = is_issued(token, await self._desk.certificate(CERTIFICATES, again=again))
        except UpdaterError:
            raise DeliveryEnd(503, "unavailable", "the certificates of Google cannot be read", RETRY) from None
        if not found:
            raise DeliveryEnd(403, "refused", "the token is not signed by Google")

    async def _forwarded(self, request: web.Request, delivery: WebhookDelivery) -> DeliveryEnd:
        """Hand a delivery to the replica that leads; the sender tries again where that is not possible."""
        if 200 <= await self.forward(request, delivery) < 300:
            return DeliveryEnd(202, "forwarded", "forwarded")
        return DeliveryEnd(503, "not-leading", "another replica leads", RETRY)

    async def forward(self, request: web.Request, delivery: WebhookDelivery) -> int:
        """Return the status of the replica that leads, 0 where it cannot be asked."""
        if FORWARDED in request.headers:
            return 0
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
        headers[FORWARDED] = "1"
        return await self._desk.forward(ForwardedDelivery(path=request.path_qs, headers=headers, body=delivery.body))

    async def _secret(self, sender: WebhookSettings) -> bytes:
        try:
            return await self._desk.secret(sender)
        except UpdaterError:
            raise DeliveryEnd(503, "unavailable", "the secret of this webhook cannot be read", RETRY) from None

    async def _body(self, request: web.Request) -> bytes:
        """Read at most `MOST_BYTES` within `SLOWEST_BODY`; all that are being read hold at most `MOST_HELD`."""
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(SLOWEST_BODY):
                while piece := await request.content.readany():
                    size += len(piece)
                    self._held += len(piece)
                    if size > MOST_BYTES:
                        raise _too_large()
                    if self._held > MOST_HELD:
                        raise DeliveryEnd(503, "unavailable", "too many deliveries at one time", RETRY)
                    pieces.append(piece)
        except TimeoutError:
            raise DeliveryEnd(408, "slow", "the body did not arrive in time") from None
        finally:
            self._held -= size
        return b"".join(pieces)


def _too_large() -> DeliveryEnd:
    return DeliveryEnd(413, "too-large", f"a delivery has at most {MOST_BYTES} bytes")


def _stranger(proofs: Collection[Proof]) -> DeliveryEnd:
    if Proof.WRONG in proofs:
        return DeliveryEnd(403, "refused", "the secret or signature is wrong")
    return DeliveryEnd(401, "unsigned", "the secret or signature is missing", {"WWW-Authenticate": 'Basic realm="webhooks"'})


def _check_size(request: web.Request) -> None:
    if (request.content_length or 0) > MOST_BYTES:
        raise _too_large()
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise DeliveryEnd(415, "malformed", "send the body without compression")


def _response(answer: DeliveryEnd) -> web.Response:
    response = web.Response(status=answer.status, text=f"{answer.text}\n", headers=answer.headers)
    if answer.status >= 400:
        response.force_close()  # what remains of the body is not read
    return response


class WebDesk(Desk, DeliveryDesk, Protocol):
    """Who answers at `listen.web`."""


def web_application(desk: WebDesk) -> web.Application:
    """Build the application of `listen.web`."""
    reception = Reception(desk)

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application(handler_args={"auto_decompress": False, "lingering_time": 1.0})
    app.router.add_get("/healthz", healthz)
    app.router.add_post("/webhooks/{name}", reception.by_name)
    app.add_routes(canary_routes(reception, desk))
    app.router.add_post("/webhook", reception.by_type)
    return app
