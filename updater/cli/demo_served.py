"""The fleet that `updater demo --serve` keeps moving: more images of every state, and the CI that pushes them."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Final

from updater.cli.demo_fleet import configuration
from updater.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from updater.cli.embedded_registry import EmbeddedRegistry

PUSH_EVERY: Final = 4.0
USUAL_PORT: Final = 8095
PLACES: Final = "apps/{name}/kustomization.yaml"


@dataclass(frozen=True, slots=True)
class Served:
    """One image of the fleet: what is written at first, and what the registry offers, oldest first.

    *versions* is the range of its policy, or `_LATEST`.

    *more* are lines of its subscription. *moves* where CI pushes new versions of it.
    """

    name: str
    written: str
    tags: tuple[str, ...]
    versions: str
    more: str = ""
    moves: bool = False


FLEET: Final = (
    Served("cart", "2.8.0", ("2.6.0", "2.7.0", "2.7.1", "2.8.0", "3.0.0-beta.1"), "^2.8", moves=True),
    Served("catalog", "5.1.2", ("5.0.0", "5.1.0", "5.1.1", "5.1.2", "6.0.0"), "~5.1", moves=True),
    Served("checkout", "3.3.0", ("3.1.0", "3.2.0", "3.3.0", "3.4.0-rc.1"), ">=3.0.0", moves=True),
    Served("frontend", "11.2.3", ("11.0.0", "11.1.0", "11.2.2", "11.2.3", "11.2.3-debug"), "^11", moves=True),
    Served("gateway", "1.27.0", ("1.25.4", "1.26.0", "1.27.0-rc.2", "1.27.0"), "latest", moves=True),
    Served("stock", "0.14.1", ("0.12.0", "0.13.0", "0.14.0", "0.14.1"), "^0.14", moves=True),
    Served("payments", "4.2.0", ("4.0.0", "4.1.0", "4.2.0", "4.2.1"), "^4", moves=True),
    Served("ledger", "1.9.0", ("1.7.0", "1.8.0", "1.9.0", "1.9.1"), "^1.9", more="    gates: {min_age: 3d}\n"),
    Served("mail", "1.4.0", ("1.2.0", "1.3.0", "1.4.0"), ">=2.0.0"),
    Served("invoices", "7.0.3", ("6.9.9", "7.0.2", "7.0.3", "7.0.4"), "^7"),
    Served("search", "8.11.1", ("8.10.0", "8.11.0", "8.11.1", "8.11.2"), "^8"),
)
HOLDS: Final = """\
payments:
  hold: {reason: the annual audit runs until Friday, author: Grace <grace@example.org>}
invoices:
  reject:
    - {tag: 7.0.4, reason: rounds half cents the wrong way, author: Ada <ada@example.org>}
"""
_LATEST: Final = "latest"
_BROKEN: Final = "search"  # its subscription names a file that nobody wrote
_SUBSCRIPTION: Final = """\
  - key: {name}
    image: {host}/acme/{name}
    policy: {policy}
{more}    targets:
      - git: {{url: "{folder}/fleet.git", branch: main}}
        {place}
"""
_KUSTOMIZATION: Final = """\
resources:
- ../../base/{name}
images:
- name: {name}
  newName: {host}/acme/{name}
  newTag: {written}
"""


def served_files(host: str) -> dict[str, bytes]:
    """Return the files that a person commits before the daemon starts."""
    return {
        PLACES.format(name=item.name): _KUSTOMIZATION.format(name=item.name, host=host, written=item.written).encode()
        for item in FLEET
        if item.name != _BROKEN
    }


def served_configuration(host: str, folder: Path, address: str) -> str:
    """Return the updater.yaml of the daemon, which serves its page at *address*."""
    text = configuration(host, str(folder)).replace("listen: {metrics: null}", f'listen: {{metrics: null, web: "{address}"}}')
    return text + "".join(
        _SUBSCRIPTION.format(
            name=item.name,
            host=host,
            folder=folder,
            policy="{latest: {}}" if item.versions == _LATEST else f'{{semver: {{range: "{item.versions}"}}}}',
            more=item.more,
            place=f"helm: {{file: charts/{item.name}/values.yaml, name: image.repository, tag: image.tag}}"
            if item.name == _BROKEN
            else f"kustomize: {{path: apps/{item.name}, name: {item.name}}}",
        )
        for item in FLEET
    )


def fill(registry: EmbeddedRegistry, now: datetime) -> None:
    """Push what the registry offers from the start, some days between one version and the next."""
    for item in FLEET:
        for age, tag in enumerate(reversed(item.tags)):
            registry.push(f"acme/{item.name}", tag, created=now - timedelta(days=4 * age, hours=3))


async def push_now_and_then(registry: EmbeddedRegistry, every: float = PUSH_EVERY) -> None:
    """Be the CI of the fleet: push the next patch of one image after the other, until cancelled."""
    last = {item.name: item.tags[-1] if "-" not in item.tags[-1] else item.written for item in FLEET if item.moves}
    last["catalog"] = "5.1.2"  # 6.0.0 is there, and outside its range
    for name in cycle(last):
        await asyncio.sleep(every)
        major, minor, patch = last[name].split(".")
        last[name] = f"{major}.{minor}.{int(patch) + 1}"
        registry.push(f"acme/{name}", last[name], created=datetime.now(UTC))


def free_address(listen: str | None) -> str:
    """Return the address to serve at: *listen*, else the usual port of loopback, or a free one where that is taken."""
    if listen is None:
        return _bindable("127.0.0.1", USUAL_PORT) or _bindable("127.0.0.1", 0) or ""
    host, _, port = listen.rpartition(":")
    address = _bindable(host.strip("[]"), int(port)) if port.isdecimal() and int(port) < 65536 else None
    if host not in {"127.0.0.1", "localhost", "[::1]"} or address is None:
        raise ConfigError(f"cannot serve the demo at {listen}", hint="name a free port of 127.0.0.1", code="listen")
    return address


def _bindable(host: str, port: int) -> str | None:
    """Return host:port if it can be listened on now, with the port that the kernel chooses for 0."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
            shown = f"[{host}]" if ":" in host else host
            return f"{shown}:{server.getsockname()[1]}"
    except OSError:
        return None
