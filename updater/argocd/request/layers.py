"""That a setting has a value and a place, and which of several levels has the last word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from updater.errors import UpdaterError

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

#: the way from the root of an object to a value in it
Place: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """What is wrong at one place of an object."""

    place: Place
    code: str
    message: str
    hint: str = ""


class FieldRefused(Exception):  # noqa: N818 - it carries a flaw up to whoever collects them, and never leaves this package
    """Ends the translation of one image or object; *flaw* says why."""

    def __init__(self, flaw: FieldProblem) -> None:
        super().__init__(flaw.message)
        self.flaw = flaw


@dataclass(frozen=True, slots=True)
class Setting:
    """A value as somebody wrote it, and where it stands."""

    value: Any
    place: Place

    @property
    def name(self) -> str:
        """What people call the place: the annotation, or the path of the field."""
        return show(self.place)

    def flaw(self, message: str, *, code: str, hint: str = "") -> FieldRefused:
        """Make the end of what needs this setting."""
        return FieldRefused(FieldProblem(place=self.place, code=code, message=f"{self.name}: {message}", hint=hint))

    def read(self, reader: Callable[[Any], _T]) -> _T:
        """Read the value; raise `FieldRefused` at this place where *reader* raises an `UpdaterError`."""
        try:
            return reader(self.value)
        except UpdaterError as error:
            raise self.flaw(error.message, code=error.code, hint=error.hint) from None


def show(place: Place) -> str:
    """Write a place for people: an annotation by its key, a field by its path."""
    if place[:2] == ("metadata", "annotations") or place[:4] == ("spec", "template", "metadata", "annotations"):
        return str(place[-1])
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


Settings: TypeAlias = Mapping[str, Setting]


def flaw_of(error: UpdaterError, place: Place) -> FieldProblem:
    """Return an expected error as a flaw."""
    return FieldProblem(place=place, code=error.code, message=error.message, hint=error.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLevel:
    """What annotations of one object, *origin*, say of people's decisions: by alias, or of all its images."""

    origin: str
    settings: Settings = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """One image that somebody listed: ``[alias=]image[:constraint]``, and everything said of it, by canonical key.

    What people decided stands in *decided*, the most exact level first: it adds up, where other settings replace each other.
    """

    alias: str | None
    text: str
    place: Place
    settings: Settings = field(default_factory=dict, hash=False)
    decided: tuple[DecisionLevel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationRequest:
    """What is asked for one Application: its images, and how results are written.

    *asked_by* is the object that says so, and in which the places of the images and of *flaws* are; *refused* are the
    entries that cannot be read, and why.
    """

    asked_by: str
    images: tuple[ImageRequest, ...] = ()
    write_back: Settings = field(default_factory=dict, hash=False)
    flaws: tuple[FieldProblem, ...] = ()
    refused: tuple[tuple[str, FieldProblem], ...] = ()


def read_in(settings: Settings, key: str, reader: Callable[[Any], _T], *, default: _T) -> _T:
    """Read the setting *key*, *default* where nobody wrote it; raise `FieldRefused`."""
    return settings[key].read(reader) if key in settings else default


def inherit(*levels: Settings) -> Settings:
    """Join *levels*, the most specific first: each key is that of the first level that has it."""
    joined: dict[str, Setting] = {}
    for level in levels:
        for key, setting in level.items():
            joined.setdefault(key, setting)
    return joined
