"""How message templates ask about versions: sprig's ``semver`` and ``semverCompare``, by our own policies.

Source: https://masterminds.github.io/sprig/semver.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from updater.errors import PolicyError, TemplateError
from updater.policies.versions import parse_range, parse_version
from updater.templates import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.policies.versions import Version

_SUFFIXES: Final = re.compile(r"[^-+]*(?:-([^+]*))?(?:\+(.*))?", re.DOTALL)


def _read(text: str) -> Version:
    version = parse_version(text)
    if version is None:
        raise TemplateError(f"{text!r} is not a version", hint="a version is MAJOR.MINOR.PATCH", code="template-data")
    return version


def _semver(text: str) -> Struct:
    version = _read(text)
    found = _SUFFIXES.fullmatch(text)
    prerelease, metadata = (found[1] or "", found[2] or "") if found else ("", "")
    shown = (
        f"{version[0]}.{version[1]}.{version[2]}"
        + (f"-{prerelease}" if prerelease else "")
        + (f"+{metadata}" if metadata else "")
    )

    def compare(other: object) -> int:
        second = _read(other.text if isinstance(other, Struct) and other.text else str(other))
        return (version > second) - (version < second)

    fields = (
        *(("Major", version[0]), ("Minor", version[1]), ("Patch", version[2])),
        *(("Prerelease", prerelease), ("Metadata", metadata), ("Original", text)),
        ("Compare", compare),
        ("Equal", lambda other: compare(other) == 0),
        ("GreaterThan", lambda other: compare(other) > 0),
        ("LessThan", lambda other: compare(other) < 0),
    )
    return Struct("*semver.Version", fields, text=shown)


def _admits(constraint: str, text: str) -> bool:
    try:
        return parse_range(constraint).admits(_read(text))
    except PolicyError as error:
        raise TemplateError(error.message, hint=error.hint, code="template-data") from error


VERSION_FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = {"semver": _semver, "semverCompare": _admits}
