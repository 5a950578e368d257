"""The settings of notifications: who is told of what, and where."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from updater.model.notification import NotifiedEvent, RouteKind
from updater.settings import fields
from updater.settings.node import Node

EVERYTHING: Final = tuple(NotifiedEvent)
MOST_ROUTES: Final = 50
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_GLOBS: Final = [
    {"type": "array", "minItems": 1, "items": {"type": "string", "examples": ["shop-*"]}},
    {"type": "string", "examples": ["shop-*"]},
    {"type": "null"},
]
_READABLE: Final = frozenset({"env", "file", "ext", "secret"})


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        hint = "write lower-case letters, digits and -, at most 63"
        raise fields.flawed(((), "route-name", f"{value!r} cannot be the name of a route", hint))
    return value


def _one_text(value: Any) -> Any:
    """Read a text as the list of it."""
    return (value,) if isinstance(value, str) else value


def _readable(value: Any) -> Any:
    if value.kind not in _READABLE:
        hint = "write env:VARIABLE, file:/path, ext:/program or secret:namespace/name#field"
        raise fields.flawed(((), "credential-unsupported", f"a {value.kind}: reference is not a text that can be sent to", hint))
    return value


def _not_empty(value: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if value is None:
        return None
    if not value:
        raise fields.flawed(((), "empty", "expected at least one entry", "leave the key out for all of them"))
    return tuple(dict.fromkeys(value))


class RouteSettings(Node):
    """One route: where messages go, and which."""

    name: Annotated[fields.Text, AfterValidator(_name)] | None = None
    """The name of the route in logs, metrics and updater notify; the default is its place in the list: 1 for the first."""
    to: Annotated[fields.Credentials, AfterValidator(_readable)]
    """A reference to the address, which holds secrets: for kind apprise an address of Apprise or the webhook URL of Slack, Teams
    or Discord; for kind cloudevents an http or https URL."""
    kind: RouteKind = RouteKind.APPRISE
    """apprise: a message for people, to one of the services of Apprise, which needs the extra notify; cloudevents: JSON for
    programs, posted over HTTP."""
    on: Annotated[tuple[NotifiedEvent, ...], AfterValidator(_not_empty), Field(json_schema_extra={"minItems": 1})] = EVERYTHING
    """What is told: updated, proposed, held, failed, reverted, recovered; the default is all of them."""
    only: Annotated[
        tuple[fields.Names, ...] | None,
        BeforeValidator(_one_text),
        AfterValidator(_not_empty),
        Field(json_schema_extra={"anyOf": _GLOBS}),
    ] = None
    """The keys of the subscriptions that are told of, as globs, or namespace/application; the default is all of them. One glob
    may be written without a list."""
    template: fields.Template | None = None
    """A Go template for the text of a message, see docs/how-to/notifications.md; the default text lists each change. Not allowed
    with kind cloudevents."""
    credentials: Annotated[fields.Credentials, AfterValidator(_readable)] | None = None
    """A reference to a bearer token or user:password for the receiver. Only with kind cloudevents."""

    @model_validator(mode="after")
    def _fit_kind(self) -> Self:
        if self.kind is RouteKind.CLOUDEVENTS and self.template is not None:
            raise fields.flawed((("template",), "conflict", "a CloudEvent has no text", "take template: out"))
        if self.kind is RouteKind.APPRISE and self.credentials is not None:
            hint = "write the secret into the address that to: names"
            raise fields.flawed((("credentials",), "conflict", "an address of Apprise holds its own secret", hint))
        return self


def _named_once(routes: tuple[RouteSettings, ...]) -> tuple[RouteSettings, ...]:
    if len(routes) > MOST_ROUTES:
        hint = f"at most {MOST_ROUTES} are sent to; let a receiver hand messages on"
        raise fields.flawed(((MOST_ROUTES,), "bad-value", f"there are {len(routes)} routes", hint))
    seen: set[str] = set()
    for index, (name, _) in enumerate(named_routes(routes)):
        if name in seen:
            place = (index, "name") if routes[index].name else (index,)
            raise fields.flawed((place, "duplicate-key", f"the route {name!r} is defined twice", "rename one of them"))
        seen.add(name)
    return routes


def named_routes(routes: tuple[RouteSettings, ...]) -> tuple[tuple[str, RouteSettings], ...]:
    """Return each route with its name, which is its place in the list where it has none."""
    return tuple((route.name or str(number), route) for number, route in enumerate(routes, start=1))


Routes = Annotated[tuple[RouteSettings, ...], AfterValidator(_named_once)]
