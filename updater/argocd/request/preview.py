"""How exported objects say what would happen: which file and line each came from, and what becomes of each image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from updater.argocd.request.applications import is_application, read_application
from updater.argocd.request.imageupdaters import is_image_updater, read_image_updater
from updater.argocd.request.subscriptions import TranslationDefaults
from updater.argocd.request.translation import as_problem, translate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from updater.argocd.request.subscriptions import ImageTranslation
    from updater.argocd.request.translation import Translation
    from updater.documents import Document
    from updater.documents.base import Mark
    from updater.model.problem import Problem


@dataclass(slots=True)
class Preview:
    """Collects Applications and ImageUpdaters from documents, also from a `List`, and translates them all at the end.

    Two objects of one name, as in folders of several clusters, are told apart by where they stand.
    """

    defaults: TranslationDefaults = field(default_factory=lambda: TranslationDefaults(is_configured=False))
    _rounds: list[dict[str, tuple[Mapping[str, Any], Mark]]] = field(default_factory=list)
    _updaters: dict[str, tuple[Mapping[str, Any], Mark]] = field(default_factory=dict)

    def add(self, document: Document) -> bool:
        """Take the objects of one document; return whether there was one."""
        found = list(_objects(document))
        for item, mark in found:
            if is_image_updater(item):
                self._updaters[str(read_image_updater(item, namespace=self.defaults.namespace))] = (item, mark)
            else:
                self._add_application(item, mark)
        return bool(found)

    def result(self) -> tuple[list[Problem], tuple[ImageTranslation, ...]]:
        """Return what is wrong, by file and line, and an answer for each image that is listed anywhere."""
        problems: dict[Problem, None] = {}
        answers: list[ImageTranslation] = []
        updaters = [item for item, _ in self._updaters.values()]
        for applications in self._rounds or [{}]:
            translation = translate([item for item, _ in applications.values()], updaters, defaults=self.defaults)
            problems |= dict.fromkeys(self._problems(translation, applications))
            answers += translation.answers
        return list(problems), tuple(answers)

    def _add_application(self, item: Mapping[str, Any], mark: Mark) -> None:
        name = f"Application {read_application(item, namespace=self.defaults.namespace)}"
        free = next((one for one in self._rounds if name not in one), None)
        if free is None:
            free = {}
            self._rounds.append(free)
        free[name] = (item, mark)

    def _problems(
        self, translation: Translation, applications: Mapping[str, tuple[Mapping[str, Any], Mark]]
    ) -> Iterator[Problem]:
        for finding in translation.findings:
            _, mark = (self._updaters | dict(applications))[finding.origin]
            place = mark.find(finding.flaw.place)
            yield as_problem(finding, path=place.path, line=place.line)


def _objects(document: Document) -> Iterator[tuple[Mapping[str, Any], Mark]]:
    value = document.value
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        listed = [(item, document.mark.find(("items", index))) for index, item in enumerate(value["items"])]
    else:
        listed = [(value, document.mark)]
    yield from ((item, mark) for item, mark in listed if is_application(item) or is_image_updater(item))
