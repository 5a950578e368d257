"""The labels of namespaces from which an ImagePolicy refers to an ImageRepository of another one, read one by one.

Flux reads them when an ImageRepository says by labels who may refer to it. Reading them alone needs no right to list them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import mapping_in
from updater.errors import KubeError, KubeGone
from updater.http.client import Clock
from updater.kube.kinds import Kind, Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from updater.kube.client import KubeClient
    from updater.kube.kinds import Key

NAMESPACE: Final = Kind("", "v1", "Namespace", "namespaces", is_namespaced=False)
REMEMBERED_SECONDS: Final = 60.0
AGAIN: Final = 10.0


class NamespaceLabels:
    """Labels by namespace. *report* is told what cannot be read, once while that lasts; then what was known stays."""

    def __init__(
        self,
        client: KubeClient,
        *,
        surroundings: Clock | None = None,
        report: Callable[[str, KubeError], None] = lambda _name, _error: None,
    ) -> None:
        self._client = client
        self._around = surroundings or Clock()
        self._report = report
        self._known: dict[str, Mapping[str, str]] = {}
        self._failing: dict[str, str] = {}
        self._wanted: tuple[str, ...] = ()

    async def of(self, names: Iterable[str]) -> dict[str, Mapping[str, str]]:
        """Return the labels of each of *names*, reading those that are not known; one that cannot be read is left out."""
        self._wanted = wanted = tuple(sorted(set(names)))
        for known in (self._known, self._failing):
            for name in known.keys() - set(wanted):
                del known[name]
        for name in wanted:
            if name not in self._known:
                await self._read(name)
        return {name: self._known[name] for name in wanted if name in self._known}

    async def follow(self, changed: Callable[[], None]) -> None:
        """Read what is wanted again and again, and call *changed* where it is otherwise by now, until cancelled."""
        while True:
            await self._around.sleep(AGAIN if self._failing else REMEMBERED_SECONDS)
            before = dict(self._known)
            for name in self._wanted:
                if name not in before or not self._failing or name in self._failing:
                    await self._read(name)
            if self._known != before:
                changed()

    async def _read(self, name: str) -> None:
        try:
            found = mapping_in(mapping_in(await self._client.get(Ref(NAMESPACE, "", name)), "metadata"), "labels")
        except KubeGone:
            found = {}
        except KubeError as error:
            if self._failing.get(name) != error.code:
                self._report(name, error)
            self._failing[name] = error.code
            return
        self._failing.pop(name, None)
        self._known[name] = {key: text for key, text in found.items() if isinstance(text, str)}


def crossing(policies: Mapping[Key, Mapping[str, Any]]) -> set[str]:
    """Return the namespaces of policies, by key and as kept, that refer to an ImageRepository of another namespace."""
    return {
        namespace
        for (namespace, _), item in policies.items()
        if mapping_in(mapping_in(item, "spec"), "imageRepositoryRef").get("namespace") not in {None, "", namespace}
    }
