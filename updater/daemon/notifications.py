"""How the routes of a configuration are put to work: their addresses, their receivers, and when the last messages are sent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from updater.errors import ConfigError, TemplateError
from updater.model.notification import NotifiedEvent, RouteKind
from updater.model.problem import Problem
from updater.reporting.notifications.desk import NotifyRoute
from updater.reporting.notifications.queue import NOT_REACHED, SENT_WITHIN, NotifyError
from updater.settings.notifications import named_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from updater.credentials.keychain import Keychain
    from updater.daemon.process import Process
    from updater.inventory.inventory import Inventory
    from updater.model.subscription import CredentialRef
    from updater.reporting.notifications.queue import NoticeReceiver
    from updater.settings import Settings
    from updater.settings.notifications import RouteSettings

#: how long the end of the daemon waits for messages, and that of a single pass, in seconds
STOP_TOLD_WITHIN: Final = 1.0
PASS_TOLD_WITHIN: Final = 30.0
_LIBRARY: Final = "apprise"


def use_routes(settings: Settings, process: Process, asked: Inventory) -> None:
    """Let the routes of *settings* be told from now on; what is not in *asked* any more is forgotten, once it is whole."""
    process.notifications.use(routes_of(settings, process), is_whole=lambda: not asked.missing)


def routes_of(settings: Settings, process: Process) -> Iterator[NotifyRoute]:
    """Yield every route of *settings* with who takes its messages."""
    for name, route in named_routes(settings.notifications):
        yield NotifyRoute(name=name, on=frozenset(route.on), only=route.only or (), receiver=_receiver(name, route, process))


def check_routes(routes: tuple[RouteSettings, ...]) -> None:
    """Try the templates of *routes*, and look for the library that some need, without importing it; raise `ConfigError`."""
    for index, route in enumerate(routes):
        place = f"notifications[{index}]"
        if route.kind is RouteKind.APPRISE and find_spec(_LIBRARY) is None:
            message = f"{place}: a route of kind apprise needs the package apprise, which is not installed"
            hint = "pip install apprise into the environment of this program; the container image has it"
            raise ConfigError(message, hint=hint, code="notify-extra")
        if route.template is not None:
            from updater.reporting.notifications.templating import try_template  # noqa: PLC0415 - most routes have none

            try:
                try_template(route.template)
            except TemplateError as error:
                raise ConfigError(f"{place}.template: {error.message}", hint=error.hint, code=error.code) from error


async def send_test(settings: Settings, process: Process, name: str) -> None:
    """Send the route *name* one message that shows what it would be told; raise `UpdaterError`, `ConfigError` for the name."""
    routes = {route.name: route for route in routes_of(settings, process)}
    route = routes.get(name)
    if route is None:
        near = get_close_matches(name, routes, n=1)
        known = f"the routes are: {', '.join(routes)}" if routes else "the configuration has no route under notifications:"
        hint = f"did you mean {near[0]!r}?" if near else known
        raise ConfigError(f"there is no route {name!r}", hint=hint, code="unknown-route")
    from updater.reporting.notifications.templating import example  # noqa: PLC0415 - only this needs it

    try:
        async with asyncio.timeout(SENT_WITHIN):
            await route.receiver.send(example(event for event in NotifiedEvent if event in route.on))
    except TimeoutError:
        raise NotifyError(f"the receiver did not take the message within {SENT_WITHIN:g} s", hint=NOT_REACHED) from None


async def finish_notifications(process: Process, seconds: float, *, is_patient: bool = False) -> None:
    """Let what was reported be told, for *seconds* at most; see `NotificationDesk.finish`."""
    if not process.notifications.has_routes:
        return
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    with suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await process.reports.drain()
    await process.notifications.finish(max(until - loop.time(), 0.0), is_patient=is_patient)


def untold_problems(process: Process) -> tuple[Problem, ...]:
    """Return what stood in the way of the last message of each route."""
    return tuple(
        Problem(path="", code=error.code, message=error.message, hint=error.hint, origin=f"notification route {name}")
        for name, error in process.notifications.troubles
    )


def _receiver(name: str, route: RouteSettings, process: Process) -> NoticeReceiver:
    keychain = process.keychain
    if route.kind is RouteKind.CLOUDEVENTS:
        from updater.reporting.notifications.cloudevents import CloudEventsReceiver  # noqa: PLC0415 - only a route needs it

        return CloudEventsReceiver(
            process.receivers, address=partial(_text, keychain, route.to), credentials=_optional(keychain, route.credentials)
        )
    from updater.reporting.notifications.chat import ChatReceiver  # noqa: PLC0415 - only a route needs it

    return ChatReceiver(name, address=partial(_text, keychain, route.to), template=route.template)


def _optional(keychain: Keychain, ref: CredentialRef | None) -> Callable[[], Awaitable[str]]:
    if ref is not None:
        return partial(_text, keychain, ref)

    async def nothing() -> str:
        return ""

    return nothing


async def _text(keychain: Keychain, ref: CredentialRef) -> str:
    """Return what stands behind *ref*; raise `NotifyError`, and `KubeError` where a cluster cannot be asked."""
    hint = "write the address or the token there"
    try:
        text = await keychain.text(ref)
    except ConfigError as error:
        raise NotifyError(error.message, hint=hint, code=error.code, is_lasting=True) from error
    if not text.strip():
        raise NotifyError(f"{ref} is empty", hint=hint, code="credential-missing", is_lasting=True)
    return text
