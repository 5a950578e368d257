"""The settings of what is served, and where: the addresses, and who may send webhooks."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from updater.errors import UpdaterError
from updater.model.image import parse_name
from updater.model.webhook import WebhookKind
from updater.settings import fields
from updater.settings.access import RoleSettings, SiteUrl, TrustedProxies
from updater.settings.node import Node
from updater.settings.values import usual_address

LONGEST_INTERVAL: Final = 86400.0
#: controllers of canaries, which ask and push nothing
_ASKING: Final = frozenset({WebhookKind.FLAGGER, WebhookKind.ARGO_ROLLOUTS})
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOPIC: Final = re.compile(r"arn:aws(?:-cn|-us-gov)?:sns:[a-z0-9-]{1,32}:[0-9]{12}:[A-Za-z0-9_.-]{1,256}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        hint = "write lower-case letters, digits and -, at most 63"
        raise fields.flawed(((), "webhook-name", f"{value!r} cannot be the end of a path", hint))
    return value


def _topic(value: str) -> str:
    if not _TOPIC.fullmatch(value):
        hint = "write arn:aws:sns:eu-west-1:111122223333:name"
        raise fields.flawed(((), "topic", f"{value!r} is not the ARN of an SNS topic", hint))
    return value


def _registry(value: str) -> str:
    try:
        found = parse_name(f"{value}/any")
    except UpdaterError:
        found = None
    if found is None or found.path != "any":
        hint = "write the host as images name it, such as registry.example.org:5000"
        raise fields.flawed(((), "image-syntax", f"{value!r} is not the host of a registry", hint))
    return found.registry


class ListenSettings(Node):
    """The addresses that the program listens on; null turns a server off."""

    metrics: fields.Listen | None = Field(default_factory=usual_address, json_schema_extra={"default": "127.0.0.1:8080"})
    """Metrics, health, readiness and status: /metrics, /healthz, /readyz, /api/v1/status. The default in a pod: 0.0.0.0:8080."""
    web: fields.Listen | None = None
    """Webhooks of registries and Git hosts: /webhooks/<name>, /webhook, /healthz; the page: /; the API: /api/v1/. Off if null."""


class WebhookSettings(Node):
    """One sender of webhooks, received at /webhooks/ and its name."""

    name: Annotated[fields.Text, AfterValidator(_name)]
    """The end of the path, and the label of metrics."""
    kind: WebhookKind
    """The kind of the sender, which decides what a delivery looks like and how it is verified."""
    secret: fields.Credentials
    """A reference to the secret that the sender was given. A delivery without it is refused."""
    registry: Annotated[fields.Text, AfterValidator(_registry)] | None = None
    """The host of the registry as your images name it, where deliveries do not say it or say an internal name."""
    topic: Annotated[fields.Text, AfterValidator(_topic)] | None = None
    """The ARN of the SNS topic. Required with kind ecr-sns, not allowed otherwise."""
    account: fields.Text | None = None
    """The service account whose OIDC token Pub/Sub sends (kind google): a delivery needs the secret and its token then."""
    audience: fields.Text | None = None
    """The audience of that token. Required with `account`, not allowed otherwise."""

    @model_validator(mode="after")
    def _check_registry(self) -> Self:
        if self.registry is not None and self.kind in _ASKING:
            raise fields.flawed((("registry",), "conflict", f"{self.kind} names no image", "take registry: out"))
        return self

    @model_validator(mode="after")
    def _check_account(self) -> Self:
        if (flaw := _account_flaw(self)) is not None:
            raise fields.flawed(flaw)
        return self

    @model_validator(mode="after")
    def _check_topic(self) -> Self:
        if self.kind is WebhookKind.ECR_SNS and self.topic is None:
            hint = "add topic: with the ARN: Amazon signs the messages of everybody's topics"
            raise fields.flawed((("topic",), "missing-key", "no topic is named", hint))
        if self.kind is not WebhookKind.ECR_SNS and self.topic is not None:
            raise fields.flawed((("topic",), "conflict", f"{self.kind} has no topic", "take topic: out"))
        return self


def _account_flaw(hook: WebhookSettings) -> fields.Flaw | None:
    """Return what is wrong with the token that is asked for."""
    if hook.account is not None and hook.kind is not WebhookKind.GOOGLE:
        return ("account",), "conflict", f"{hook.kind} sends no token of Google", "take account: out"
    if hook.account is not None and hook.audience is None:
        hint = "add audience: as the subscription has it (--push-auth-token-audience)"
        return ("audience",), "missing-key", "no audience is named", hint
    if hook.account is None and hook.audience is not None:
        return ("audience",), "conflict", "no token is asked for", "add account:, or take audience: out"
    return None


def at_most_a_day(seconds: float) -> float:
    """Refuse a longer time: what a lost webhook costs."""
    if seconds > LONGEST_INTERVAL:
        hint = "write 1d or less: a push whose webhook is lost waits for so long"
        raise fields.flawed(((), "duration", "the interval with webhooks is longer than a day", hint))
    return seconds


def _names_once(webhooks: tuple[WebhookSettings, ...]) -> tuple[WebhookSettings, ...]:
    seen: set[str] = set()
    for index, webhook in enumerate(webhooks):
        if webhook.name in seen:
            raise fields.flawed(((index, "name"), "duplicate-key", f"{webhook.name!r} is defined twice", "rename one of them"))
        seen.add(webhook.name)
    return webhooks


class WebSettings(Node):
    """What is served at `listen.web`."""

    webhooks: Annotated[tuple[WebhookSettings, ...], AfterValidator(_names_once)] = Field(default=())
    """The senders whose webhooks are received."""
    users: fields.Credentials | None = None
    """A reference to the users of the page and the API, such as file:/run/secrets/htpasswd: lines of `htpasswd -B` (bcrypt).

    It is read again while the daemon runs. Without users and proxies the page and the API are served on loopback alone.
    """
    trusted_proxies: TrustedProxies | None = None
    """Proxies that sign people in, such as oauth2-proxy, or that stand before the page, such as an Ingress."""
    roles: RoleSettings = RoleSettings()
    """Who may read, and who may act."""
    session_key: fields.Credentials | None = None
    """A reference to the key that signs sessions, at least 32 characters. The default is a key of its own in `state`.

    Replicas need the same key: one that does not lead hands on what people do to the one that leads.
    """
    url: SiteUrl | None = None
    """The address under which people open the page, such as https://updater.example.org.

    With https, cookies are sent over TLS alone.
    """


def check_web(web: WebSettings, listen: ListenSettings, longest: float | None) -> None:
    """Refuse webhooks that nobody receives, users of nothing, and a longer interval that no webhook brings about."""
    if web.webhooks and listen.web is None:
        hint = 'add listen: {web: "0.0.0.0:8090"}'
        raise fields.flawed((("web", "webhooks"), "conflict", "listen.web is null, so no webhook is received", hint))
    access = ("users", "trusted_proxies", "session_key", "url")
    if listen.web is None and (named := next((name for name in access if getattr(web, name) is not None), None)):
        hint = 'add listen: {web: "0.0.0.0:8090"}'
        raise fields.flawed((("web", named), "conflict", "listen.web is null, so no page is served", hint))
    if longest is not None and not web.webhooks:
        message = "no webhook is configured, so no interval is longer"
        raise fields.flawed((("interval_with_webhooks",), "conflict", message, "add web.webhooks, or take it out"))
