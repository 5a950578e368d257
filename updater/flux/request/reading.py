"""How one of Flux's objects is read where any value may stand anywhere, and how what is wrong in it is said.

Whatever ends an object is said twice: as the condition that the original gives it, and as a problem in our words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from updater.documents.members import mapping_in
from updater.flux.kinds import REQUESTED_AT
from updater.flux.request.objects import spec_flaws
from updater.flux.request.requests import ObjectFault
from updater.model.problem import Problem
from updater.settings.problems import dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.kube.kinds import Key

_T = TypeVar("_T")
Place = tuple[str | int, ...]

# how Go says what RE2 says otherwise
_GO_REASONS: Final = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}


class ObjectRefused(Exception):  # noqa: N818 - it carries a fault up to whoever reads the object, and never leaves this package
    """Ends the reading of one object; *fault* says why."""

    def __init__(self, fault: ObjectFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxObject:
    """One object as it is read: its names, its spec, and the problems of fields that nothing can read."""

    kind: str
    key: Key
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    _by_place: Mapping[str, Problem] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.key[0]}/{self.key[1]}"

    @property
    def requested_at(self) -> str:
        """The value of the annotation that asks for work out of turn."""
        return text_in(mapping_in(self.metadata, "annotations"), REQUESTED_AT)

    @property
    def since(self) -> str:
        """When the object was made."""
        return text_in(self.metadata, "creationTimestamp")

    @property
    def is_suspended(self) -> bool:
        """Whether nobody works on it."""
        return self.spec.get("suspend") is True

    def problem(self, place: Place, code: str, message: str, hint: str = "") -> Problem:
        """Return what is wrong at a place, in the words that were found for the place already, where there are some."""
        shown = dotted(place)
        found = self._by_place.get(shown) if shown else None
        said = f"{shown}: {message}" if shown else message
        return found or Problem(path="", code=code, message=said, hint=hint, origin=str(self))

    def fault(self, reason: str, message: str, problem: Problem, *, is_stalled: bool = False) -> ObjectFault:
        """Return the condition that ends the object."""
        return ObjectFault(reason=reason, message=message, is_stalled=is_stalled, problem=problem)

    def refused(self, reason: str, message: str, problem: Problem, *, is_stalled: bool = False) -> ObjectRefused:
        """Return the end of the object, to be raised."""
        return ObjectRefused(self.fault(reason, message, problem, is_stalled=is_stalled))

    def name_in(self, field_name: str) -> str | None:
        """Return the name that a reference to an object of the same namespace holds; None where there is no reference."""
        reference = self.spec.get(field_name)
        return None if reference is None else text_in(mapping_in(self.spec, field_name), "name")


def read_object(kind: str, item: Mapping[str, Any]) -> FluxObject:
    """Read names and spec of an object, and check every field; nothing that stands in it makes this raise."""
    metadata, spec = mapping_in(item, "metadata"), mapping_in(item, "spec")
    key = key_in(metadata)
    origin = f"{kind} {key[0]}/{key[1]}"
    by_place: dict[str, Problem] = {}
    problems = []
    for place, code, message, hint in spec_flaws(kind, item.get("spec")):
        shown = dotted(place)
        said = f"{shown}: {message}" if shown else message
        problems.append(Problem(path="", code=code, message=said, hint=hint, origin=origin))
        by_place.setdefault(shown, problems[-1])
    return FluxObject(kind=kind, key=key, metadata=metadata, spec=spec, problems=tuple(problems), _by_place=by_place)


def attempt(item: FluxObject, read: Callable[[FluxObject], _T]) -> tuple[_T | None, ObjectFault | None]:
    """Return what *read* makes of an object, or the fault that ends it."""
    try:
        return read(item), None
    except ObjectRefused as refused:
        return None, refused.fault


def key_in(metadata: Mapping[str, Any]) -> Key:
    """Return namespace and name of an object."""
    return text_in(metadata, "namespace"), text_in(metadata, "name")


def text_in(item: Mapping[str, Any], key: str) -> str:
    """Return the text at *key*, "" where another value stands there."""
    value = item.get(key)
    return value if isinstance(value, str) else ""


def go_reason(message: str) -> str:
    """Return what Go says of an expression that our own error refuses: ``error parsing regexp: missing closing ): `(```."""
    said = message.partition(" is not a regular expression: ")[2] or message
    reason, colon, argument = said.partition(": ")
    shown = f": `{argument}`" if colon else ""
    return f"error parsing regexp: {_GO_REASONS.get(reason, reason)}{shown}"
