"""Sprig's version functions; the version implementation is passed in, because policies are another package.

Source: https://masterminds.github.io/sprig/semver.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.templates.functions.faults import fault
from updater.templates.functions.signature import Function, declare

if TYPE_CHECKING:
    from collections.abc import Mapping


def _absent(*_: object) -> object:
    raise fault("versions cannot be read here", hint="compare the texts, or leave semver and semverCompare out")


VERSIONS: Final[Mapping[str, Function]] = {
    "semver": declare(_absent, "s"),
    "semverCompare": declare(_absent, "ss"),
}
