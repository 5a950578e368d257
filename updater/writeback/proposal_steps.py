"""How large a step of versions is: what may be merged without people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from updater.errors import ImageSyntaxError
from updater.model.image import parse_name
from updater.model.publishing import AutoMerge
from updater.policies.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.model.image import ImageName
    from updater.model.update import Update

_ORDER: Final = (AutoMerge.PATCH, AutoMerge.MINOR, AutoMerge.ALWAYS)


def step_of(update: Update) -> AutoMerge:
    """Return the smallest rule that lets *update* be merged.

    Another digest of the tag 1.25 is a patch, of the tag 1 a minor step. A version that goes down, a tag that is no version,
    another image and a place that held nothing are let by `AutoMerge.ALWAYS` alone.
    """
    old, new = update.reading.written, update.image
    before, after = (parse_version(text or "") for text in (old.tag, new.tag))
    if before is None or after is None or not _is_same_image(old.name, new.name):
        return AutoMerge.ALWAYS
    if after == before and old.tag == new.tag:
        return AutoMerge.PATCH if _has_minor(new.tag) else AutoMerge.MINOR
    if after < before or after[0] != before[0] or not (_has_minor(old.tag) and _has_minor(new.tag)):
        return AutoMerge.ALWAYS
    return AutoMerge.PATCH if after[1] == before[1] else AutoMerge.MINOR


def _has_minor(tag: str | None) -> bool:
    """Return whether a second number is written: what stands for a day, such as 2026-01-02, has one number and a suffix."""
    return "." in re.split("[-+]", tag or "", maxsplit=1)[0]


def _is_same_image(written: str | None, name: ImageName) -> bool:
    try:
        return not written or parse_name(written) == name
    except ImageSyntaxError:
        return False


def is_within(rule: AutoMerge, updates: Iterable[Update]) -> bool:
    """Return whether *rule* lets all of *updates* be merged without people."""
    if rule is AutoMerge.NEVER:
        return False
    return all(_ORDER.index(step_of(update)) <= _ORDER.index(rule) for update in updates)
