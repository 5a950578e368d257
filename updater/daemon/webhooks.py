"""Who takes webhooks: the senders of the configuration in force, their secrets, and the images and branches that they name."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from updater.daemon.leader import LeaderSilent, ask_leader
from updater.errors import UpdaterError
from updater.http.exchange import Connection, FailureKind, HttpFailure, HttpRequest
from updater.inventory.pushes import PushIndex
from updater.model.webhook import ImagePush

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from updater.daemon.generation import Generation
    from updater.daemon.process import Process
    from updater.delivery.hooks import CanaryHook, HookAnswer
    from updater.inventory.plan import Plan
    from updater.model.webhook import Push
    from updater.settings import Settings
    from updater.settings.web import WebhookSettings
    from updater.web.receiving import ForwardedDelivery
    from updater.web.webhooks.flagger import CanaryCall

SECRETS_KEPT: Final = 30.0
RATE: Final = 1500.0  # deliveries of one sender in a second
BURST: Final = 5000.0
TOLD_AGAIN: Final = 60.0
MOST_CERTIFICATES: Final = 8
CERTIFICATES_KEPT: Final = 3600.0
AGAIN_AFTER: Final = 60.0
LARGEST_CERTIFICATE: Final = 32 * 1024
_TROUBLE: Final = frozenset({"unsigned", "refused", "malformed", "too-large", "slow", "limited", "unavailable", "not-leading"})


class WebhookDesk:
    """Takes deliveries for the generation in force, which *generation* returns."""

    def __init__(self, process: Process, generation: Callable[[], Generation]) -> None:
        self._process = process
        self._generation = generation
        self._secrets: dict[str, tuple[float, bytes]] = {}
        self._allowed: dict[str, tuple[float, float]] = {}
        self._told: dict[tuple[str, str], float] = {}
        self._certificates: dict[str, tuple[float, bytes]] = {}
        self._index: tuple[Plan, PushIndex] | None = None

    @property
    def senders(self) -> Sequence[WebhookSettings]:
        """The senders that are configured."""
        return self._settings.web.webhooks

    async def secret(self, sender: WebhookSettings) -> bytes:
        """Return the secret of a sender, as it was read at most `SECRETS_KEPT` ago; raise `UpdaterError`."""
        ref, now = sender.secret, time.monotonic()
        read_at, known = self._secrets.get(str(ref), (0.0, b""))
        if known and now - read_at < SECRETS_KEPT:
            return known
        known = (await self._process.keychain.text(ref)).encode()
        if not known:
            raise UpdaterError(f"{ref} is empty", hint="write the secret that the sender was given", code="credential-missing")
        self._secrets[str(ref)] = (now, known)
        return known

    async def certificate(self, url: str, *, again: bool = False) -> bytes:
        """Return certificates of SNS or Google, kept for a while; raise `UpdaterError`. The caller has checked the address.

        With *again* they are asked for anew, where they were not just now: one is missing.
        """
        read_at, known = self._certificates.get(url, (0.0, b""))
        if not known or time.monotonic() - read_at > (AGAIN_AFTER if again else CERTIFICATES_KEPT):
            request = HttpRequest(url=url, limit=LARGEST_CERTIFICATE, connection=Connection(is_guarded=True))
            answer = await self._process.http.send(request)
            if answer.status != 200 or answer.url != url:
                raise HttpFailure(f"{url} returned HTTP {answer.status}", trouble=FailureKind.PROTOCOL)
            if len(self._certificates) >= MOST_CERTIFICATES:
                self._certificates.clear()
            self._certificates[url] = time.monotonic(), answer.body
            return answer.body
        return known

    def may_send(self, sender: WebhookSettings) -> bool:
        """Return whether a sender may send one more delivery now."""
        now = time.monotonic()
        since, left = self._allowed.get(sender.name, (now, BURST))
        left = min(BURST, left + (now - since) * RATE)
        self._allowed[sender.name] = (now, max(left - 1.0, 0.0))
        return left >= 1.0

    def may_take(self) -> bool:
        """Return whether this replica is the one that scans."""
        return self._process.may_write()

    async def forward(self, delivery: ForwardedDelivery) -> int:
        """Hand a delivery to the replica that leads; return its status, 0 where it did not answer or is not known."""
        request = HttpRequest(url=delivery.path, method="POST", headers=delivery.headers, body=delivery.body, is_repeatable=False)
        try:
            return (await ask_leader(self._process, request)).status
        except LeaderSilent:
            return 0

    def count(self, name: str, result: str) -> None:
        """Count a delivery and what became of it; trouble is logged once in a while."""
        self._process.metrics.count("updater_webhooks_total", name, result)
        now = time.monotonic()
        if result in _TROUBLE and now - self._told.get((name, result), -TOLD_AGAIN) >= TOLD_AGAIN:
            self._told[name, result] = now
            self._process.log.warning("webhook", name=name, result=result, hint="docs/how-to/webhooks.md says what to check")

    def confirm(self, sender: WebhookSettings, token: str) -> None:
        """Log how a person confirms the subscription of a topic: an address that a request names is never called."""
        hint = f"aws sns confirm-subscription --topic-arn {sender.topic} --token {token}"
        self._process.log.warning("webhook", name=sender.name, detail="the topic waits for its confirmation", hint=hint)

    def take(self, sender: WebhookSettings, pushes: Sequence[Push]) -> str:
        """Let the images that were pushed be scanned and the branches be read; return what became of the delivery."""
        if not pushes:
            return "ignored"
        generation, index = self._generation(), self._current()
        is_known = False
        for push in pushes:
            images, destinations = index.find(_named(push, sender.registry))
            generation.webhooks.hint(images, push.tag if isinstance(push, ImagePush) else "", destinations)
            is_known |= bool(images or destinations)
        return "accepted" if is_known else "unlisted"

    async def relay(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return what the replica that leads answers to a GET, 0 where it did not answer or is not known."""
        try:
            answer = await ask_leader(self._process, HttpRequest(url=path, headers=headers))
        except LeaderSilent:
            return 0, b""
        return answer.status, answer.body

    def release(self, key: str) -> Mapping[str, Any] | None:
        """Return what is known of the release of a subscription, None where its releases are not followed."""
        delivery = self._generation().delivery
        return delivery.canaries.release(key) if delivery else None

    def answer(self, hook: CanaryHook, call: CanaryCall) -> HookAnswer | None:
        """Return what a hook of Flagger is answered, None where no subscription follows the Canary."""
        delivery = self._generation().delivery
        return delivery.canaries.answer(hook, call, self._process.log) if delivery else None

    @property
    def _settings(self) -> Settings:
        return self._generation().loaded.settings

    def _current(self) -> PushIndex:
        plan = self._generation().asked.plan
        if self._index is None or self._index[0] is not plan:
            self._index = plan, PushIndex(plan, _hosts(self._settings))
        return self._index[1]


def _named(push: Push, registry: str | None) -> Push:
    if registry and isinstance(push, ImagePush):
        return ImagePush(registry=registry, path=push.path, tag=push.tag)
    return push


def _hosts(settings: Settings) -> Mapping[str, str]:
    """Return which registry is asked at a host of another name: what it sends names that host."""
    found = {}
    for entry in settings.registry_entries:
        asked = urlsplit(entry.url or "").netloc.rpartition("@")[2].lower()
        named = entry.prefix.partition("/")[0].lower()
        if asked and asked != named:
            found[asked] = named
    return found
