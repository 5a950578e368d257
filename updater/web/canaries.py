"""What controllers of canaries ask: the hooks of Flagger, and the measurements of Argo Rollouts at /api/v1/releases/."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import web

from updater.delivery.hooks import CanaryHook
from updater.model.webhook import WebhookKind
from updater.web.deliveries import FORWARDED, RETRY, DeliveryEnd, parsed
from updater.web.webhooks import DeliveryError
from updater.web.webhooks.flagger import canary_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from updater.delivery.hooks import HookAnswer
    from updater.settings.web import WebhookSettings
    from updater.web.webhooks import WebhookDelivery
    from updater.web.webhooks.flagger import CanaryCall

    EndOf = Callable[[web.Request, WebhookSettings, WebhookDelivery], Awaitable[DeliveryEnd]]

RELEASES: Final = "/api/v1/releases"
_NOT_LEADING: Final = DeliveryEnd(503, "not-leading", "another replica leads", RETRY)
_LIMITED: Final = DeliveryEnd(429, "limited", "too many deliveries", RETRY)


class DeliveryDesk(Protocol):
    """Who knows the canaries; see `updater.daemon.webhooks.WebhookDesk`."""

    @property
    def senders(self) -> Sequence[WebhookSettings]:
        """The senders that are configured."""
        ...

    def may_send(self, sender: WebhookSettings) -> bool:
        """Return whether a sender may send one more delivery now."""
        ...

    def may_take(self) -> bool:
        """Return whether this replica is the one that knows."""
        ...

    async def relay(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return what the replica that leads answers to a GET, 0 where it did not answer or is not known."""
        ...

    def answer(self, hook: CanaryHook, call: CanaryCall) -> HookAnswer | None:
        """Return what a hook of Flagger is answered, None where no subscription follows the Canary."""
        ...

    def release(self, key: str) -> Mapping[str, Any] | None:
        """Return what is known of the release of a subscription, None where its releases are not followed."""
        ...


class DeliveryReceiver(Protocol):
    """Who verifies; see `updater.web.receiving.Reception`."""

    async def receive(
        self, request: web.Request, senders: Sequence[WebhookSettings], end_of: EndOf | None = None
    ) -> web.Response:
        """Answer a delivery of one of *senders*; *end_of* says what becomes of it once it is verified."""

    async def forward(self, request: web.Request, delivery: WebhookDelivery) -> int:
        """Return the status of the replica that leads, 0 where it cannot be asked."""


def canary_routes(receiver: DeliveryReceiver, desk: DeliveryDesk) -> list[web.RouteDef]:
    """Return the routes that controllers of canaries ask; who asks shows the secret of a sender of its kind."""
    questions = CanaryQuestions(receiver, desk)
    return [web.post("/webhooks/{name}/{hook}", questions.hook), web.get(f"{RELEASES}/{{key:.+}}", questions.release)]


class CanaryQuestions:
    """Answers what *receiver* has verified; a replica that does not lead asks the one that does, and never says yes itself."""

    def __init__(self, receiver: DeliveryReceiver, desk: DeliveryDesk) -> None:
        self._receiver = receiver
        self._desk = desk

    async def hook(self, request: web.Request) -> web.Response:
        """Answer a hook of Flagger, at the name of its sender and the type of the hook."""
        name, is_known = request.match_info["name"], request.match_info["hook"] in set(CanaryHook)
        senders = [item for item in self._of(WebhookKind.FLAGGER) if item.name == name and is_known]
        return await self._receiver.receive(request, senders, self._confirmed)

    async def release(self, request: web.Request) -> web.Response:
        """Answer what is known of a release."""
        return await self._receiver.receive(request, self._of(WebhookKind.ARGO_ROLLOUTS), self._told)

    def _of(self, kind: WebhookKind) -> list[WebhookSettings]:
        return [item for item in self._desk.senders if item.kind is kind]

    async def _confirmed(self, request: web.Request, sender: WebhookSettings, delivery: WebhookDelivery) -> DeliveryEnd:
        if not self._desk.may_send(sender):
            return _LIMITED
        if self._desk.may_take():
            return _answer(self._desk, CanaryHook(request.match_info["hook"]), delivery)
        status = await self._receiver.forward(request, delivery)
        if status in {200, 403, 404}:
            return DeliveryEnd(status, "forwarded", "the replica that leads was asked")
        return _NOT_LEADING

    async def _told(self, request: web.Request, sender: WebhookSettings, _delivery: WebhookDelivery) -> DeliveryEnd:
        if not self._desk.may_send(sender):
            return _LIMITED
        if self._desk.may_take():
            return _told(self._desk.release(request.match_info["key"]))
        if FORWARDED in request.headers:
            return _NOT_LEADING
        headers = {"Authorization": request.headers.get("Authorization", ""), FORWARDED: "1"}
        status, body = await self._desk.relay(request.path_qs, headers)
        if status in {200, 404}:
            text = body.decode(errors="replace").rstrip("\n")
            return DeliveryEnd(status, "forwarded", text, _JSON if status == 200 else None)
        return _NOT_LEADING


_JSON: Final = {"Content-Type": "application/json", "Cache-Control": "no-store"}


def _answer(desk: DeliveryDesk, hook: CanaryHook, delivery: WebhookDelivery) -> DeliveryEnd:
    """Return the answer to a hook: Flagger goes on at 200, and waits or goes back at any status above 202."""
    try:
        call = canary_of(parsed(delivery))
    except DeliveryError as error:
        return DeliveryEnd(400, "malformed", str(error))
    answer = desk.answer(hook, call)
    if answer is None:
        text = f"no subscription is delivered by Canary {call.namespace}/{call.name}"
        return DeliveryEnd(404, "unlisted", text)
    return DeliveryEnd(200, "yes", answer.reason) if answer.is_yes else DeliveryEnd(403, "no", answer.reason)


def _told(release: Mapping[str, Any] | None) -> DeliveryEnd:
    if release is None:
        return DeliveryEnd(404, "unlisted", "no subscription of this key has delivery")
    text = json.dumps(release, sort_keys=True, ensure_ascii=False)
    return DeliveryEnd(200, "yes" if release["wanted"] else "no", text, _JSON)
