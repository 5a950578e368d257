"""The labels of namespaces from which an ImagePolicy refers to an ImageRepository of another one, read one by one.

Flux reads them when an ImageRepository says by labels who may refer to it. Reading them alone needs no right to list them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import mapping_in
from updater.errors import KubeError, KubeGone
from updater.kube.kinds import Kind, Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from updater.controller.objects import Key
    from updater.kube.client import KubeClient

NAMESPACE: Final = Kind("", "v1", "Namespace", "namespaces", is_namespaced=False)
REMEMBERED_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Read:
    labels: Mapping[str, str]
    until: float


class NamespaceLabels:
    """Labels by namespace, remembered for a minute. *report* is told what cannot be read; then what was known stays."""

    def __init__(
        self,
        client: KubeClient,
        *,
        clock: Callable[[], float],
        report: Callable[[str, KubeError], None] = lambda _name, _error: None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._report = report
        self._known: dict[str, _Read] = {}

    async def of(self, names: Iterable[str]) -> dict[str, Mapping[str, str]]:
        """Return the labels of each of *names*; a namespace that cannot be read is left out."""
        wanted = sorted(set(names))
        self._known = {name: known for name, known in self._known.items() if name in wanted}
        for name in wanted:
            if name not in self._known or self._known[name].until <= self._clock():
                await self._read(name)
        return {name: self._known[name].labels for name in wanted if name in self._known}

    async def _read(self, name: str) -> None:
        try:
            found = mapping_in(mapping_in(await self._client.get(Ref(NAMESPACE, "", name)), "metadata"), "labels")
        except KubeGone:
            found = {}
        except KubeError as error:
            self._report(name, error)
            return
        labels = {key: text for key, text in found.items() if isinstance(text, str)}
        self._known[name] = _Read(labels, self._clock() + REMEMBERED_SECONDS)


def crossing(policies: Mapping[Key, Mapping[str, Any]]) -> set[str]:
    """Return the namespaces of policies, by key and as kept, that refer to an ImageRepository of another namespace."""
    return {
        namespace
        for (namespace, _), item in policies.items()
        if mapping_in(mapping_in(item, "spec"), "imageRepositoryRef").get("namespace") not in {None, "", namespace}
    }
