"""How everything that Argo CD users asked for becomes one snapshot, and what was decided for each listed image.

An ImageUpdater that selects an Application decides for it; where none does, its annotations do. What one object asks for is
remembered while the objects that say so do not change, so a status that churns costs the translation of one object.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from updater.argocd.request.application import ApplicationImages, ObjectProblem, translate_application
from updater.argocd.request.applications import read_application
from updater.argocd.request.groups import whole_groups
from updater.argocd.request.head_names import HeadNames
from updater.argocd.request.imageupdaters import read_image_updater
from updater.argocd.request.subscriptions import ImageTranslation, TranslationDefaults
from updater.argocd.request.write_conflicts import without_doubles
from updater.model.problem import Problem
from updater.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from updater.argocd.request.imageupdaters import ImageUpdater
    from updater.inventory.precedence import Precedence

__all__ = ["ImageTranslation", "ObjectProblem", "Translation", "TranslationDefaults", "Translator", "translate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """The snapshot, an answer for every listed image, what is wrong by object, and what each ImageUpdater selects.

    *selected* has, by ``namespace/name`` of every ImageUpdater, the Applications (``namespace/name``) that it decides for.
    """

    snapshot: Snapshot
    answers: tuple[ImageTranslation, ...]
    findings: tuple[ObjectProblem, ...]
    selected: Mapping[str, tuple[str, ...]]


def translate(
    applications: Sequence[Mapping[str, Any]],
    updaters: Sequence[Mapping[str, Any]],
    *,
    defaults: TranslationDefaults | None = None,
) -> Translation:
    """Translate once; see `Translator`."""
    return Translator(defaults or TranslationDefaults())(applications, updaters)


class _Same:
    """Equal to nothing but itself around the very same object, which it keeps from being freed."""

    __slots__ = ("item",)

    def __init__(self, item: object) -> None:
        self.item = item

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.item is self.item

    def __hash__(self) -> int:
        return id(self.item)


class Translator:
    """Translates again and again, and remembers what did not change.

    An object is the same while it is the very same mapping, which must not be changed in place, and while its uid and
    resourceVersion are. Where nothing that matters changed, the very same `Translation` is given.
    """

    def __init__(self, defaults: TranslationDefaults) -> None:
        self._defaults = defaults
        self._naming = HeadNames(defaults.branches)
        self._updaters: dict[tuple[str, str], tuple[object, ImageUpdater]] = {}
        self._parts: dict[tuple[str, str], tuple[object, ApplicationImages]] = {}
        self._seen: dict[int, tuple[Mapping[str, Any], tuple[str, str]]] = {}
        self._last: tuple[tuple[ApplicationImages, ...], tuple[ImageUpdater, ...], tuple[int, int], Translation] | None = None

    def __call__(self, applications: Sequence[Mapping[str, Any]], updaters: Sequence[Mapping[str, Any]]) -> Translation:
        """Return the whole translation; nothing that stands in an object makes it raise."""
        before = self._updaters
        read = self._read_updaters(updaters)
        are_updaters_same = _are_same(tuple(before.values()), tuple(self._updaters.values()))
        near: dict[str, tuple[ImageUpdater, ...]] = defaultdict(tuple)
        for updater in read:
            near[updater.namespace] += (updater,)
        stamps = {namespace: tuple(map(_Same, found)) for namespace, found in near.items()}
        parts: dict[tuple[str, str], tuple[object, ApplicationImages]] = {}
        seen: dict[int, tuple[Mapping[str, Any], tuple[str, str]]] = {}
        for item in applications:
            known = self._seen.get(id(item))  # what is kept is alive, so its id is nobody else's
            name = known[1] if known else self._name(item)
            seen[id(item)] = (item, name)
            is_same = known is not None and are_updaters_same
            parts[name] = self._parts[name] if is_same else self._part(item, name, near, stamps)
        self._parts, self._seen = parts, seen
        return self._joined(tuple(part for _, part in parts.values()), read)

    def _part(
        self,
        item: Mapping[str, Any],
        name: tuple[str, str],
        near: Mapping[str, tuple[ImageUpdater, ...]],
        stamps: Mapping[str, object],
    ) -> tuple[object, ApplicationImages]:
        """Translate one object, unless its version and its ImageUpdaters are known; an equal part stays the same object."""
        stamp = (_stamp(item), stamps.get(name[0], ()))
        known = self._parts.get(name)
        if known is not None and known[0] == stamp:
            return known
        application = read_application(item, namespace=self._defaults.namespace)
        part = translate_application(application, near.get(name[0], ()), self._defaults)
        return stamp, known[1] if known is not None and known[1] == part else part

    def _read_updaters(self, updaters: Iterable[Mapping[str, Any]]) -> tuple[ImageUpdater, ...]:
        read: dict[tuple[str, str], tuple[object, ImageUpdater]] = {}
        for item in updaters:
            name, stamp = self._name(item), _stamp(item)
            known = self._updaters.get(name)
            if known is None or known[0] != stamp:
                known = (stamp, read_image_updater(item, namespace=self._defaults.namespace))
            read[name] = known
        self._updaters = read
        return tuple(updater for _, updater in read.values())

    def _joined(self, parts: tuple[ApplicationImages, ...], updaters: tuple[ImageUpdater, ...]) -> Translation:
        last, version = self._last, (self._defaults.branches.version, self._defaults.precedence.version)
        if last is None or not (_are_same(last[0], parts) and _are_same(last[1], updaters) and last[2] == version):
            self._last = last = (parts, updaters, version, join(parts, updaters, self._naming, self._defaults.precedence))
        return last[3]

    def _name(self, item: Mapping[str, Any]) -> tuple[str, str]:
        metadata = _metadata(item)
        return str(metadata.get("namespace") or self._defaults.namespace), str(metadata.get("name") or "")


def join(
    parts: Iterable[ApplicationImages], updaters: Iterable[ImageUpdater], naming: HeadNames, precedence: Precedence
) -> Translation:
    """Put the parts together: one place is written by one subscription, or by several that want the same."""
    parts, updaters = tuple(parts), tuple(updaters)
    answers, clashes = without_doubles(naming(answer for part in parts for answer in part.answers), precedence)
    answers = whole_groups(answers)
    wrong = [ObjectProblem(origin=str(updater), flaw=flaw) for updater in updaters for flaw in updater.flaws]
    findings = tuple(dict.fromkeys([*wrong, *(finding for part in parts for finding in part.findings), *clashes]))
    selected: dict[str, list[str]] = {f"{updater.namespace}/{updater.name}": [] for updater in updaters}
    for part in parts:
        for name in part.selected_by:
            selected[name].append(part.application)
    return Translation(
        snapshot=Snapshot(
            subscriptions=tuple(answer.subscription for answer in answers if answer.subscription),
            problems=tuple(map(as_problem, findings)),
        ),
        answers=answers,
        findings=findings,
        selected={name: tuple(found) for name, found in selected.items()},
    )


def as_problem(finding: ObjectProblem, *, path: str = "", line: int | None = None) -> Problem:
    """Return a finding as a problem; *path* and *line* are of the file that holds the object, where there is one."""
    flaw = finding.flaw
    return Problem(path=path, line=line, code=flaw.code, message=flaw.message, hint=flaw.hint, origin=finding.origin)


def _are_same(before: tuple[object, ...], now: tuple[object, ...]) -> bool:
    return len(before) == len(now) and all(map(operator.is_, before, now))


def _stamp(item: Mapping[str, Any]) -> object:
    metadata = _metadata(item)
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    return (uid, version) if isinstance(uid, str) and isinstance(version, str) else _Same(item)


def _metadata(item: Mapping[str, Any]) -> Mapping[str, Any]:
    found = item.get("metadata")
    return found if isinstance(found, dict) else {}
