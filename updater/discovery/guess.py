"""Which policy fits a tag that somebody wrote by hand, where nothing else says it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEMVER: Final = re.compile(r"v?(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:\.(0|[1-9]\d{0,8}))?(?:[-+][0-9A-Za-z.-]{1,64})?")
_NUMBER: Final = re.compile(r"\d{1,18}")
_FIRST_YEAR: Final = 1900


def policy_for(tag: str | None) -> tuple[Mapping[str, Any] | None, str]:
    """Return the policy for an image whose written tag is *tag*, and why; None where a person has to say it.

    A version keeps its major number: a new major version is a decision of people.
    """
    if not tag:
        return None, "no tag is written"
    if found := _SEMVER.fullmatch(tag):
        major = int(found[1])
        if major >= _FIRST_YEAR:
            return {"semver": {"range": f">={tag.removeprefix('v')}"}}, "calendar versions: any later one"
        if major == 0:
            return {"semver": {"range": f"~0.{found[2]}"}}, f"patch releases of 0.{found[2]}; widen to take minor ones"
        return {"semver": {"range": f"^{major}"}}, f"minor and patch releases of {major}; widen to take major ones"
    if _NUMBER.fullmatch(tag):
        return {"number": {"order": "asc"}}, "the highest number"
    return None, f"{tag!r} is not a version: choose latest, name, number or digest"
