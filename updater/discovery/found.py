"""The words of a discovery: an image to keep current, where it is written, and what a person still has to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.written import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTarget:
    """One place that names an image: the editor's word and its options, as they stand below a target in the configuration.

    *path* limits a marker to a folder; *place* is ``file:line`` for people.
    """

    editor: str
    options: str | Mapping[str, Any]
    place: str
    path: str = ""


@dataclass(slots=True, kw_only=True)
class FoundImage:
    """One subscription to be: *policy* is None where nothing said it, and is then derived from what is written."""

    key: str
    image: str
    written: Written
    targets: list[FoundTarget] = field(default_factory=list)
    policy: Mapping[str, Any] | None = None
    tag_filter: Mapping[str, Any] | None = None
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class Discovery:
    """Everything that was found. *remarks* are sentences about what could not be taken over, each with its place."""

    images: list[FoundImage] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    applications: set[str] = field(default_factory=set)
    files: int = 0
