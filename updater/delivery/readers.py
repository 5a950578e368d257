"""Who reads which Git repository: Applications by their sources, Kustomizations through their GitRepository."""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from updater.delivery.finding import GIT_REPOSITORY, sources_of
from updater.delivery.state import text_in
from updater.documents.members import mapping_in
from updater.inventory.pushes import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from updater.kube.kinds import Key, Object

#: an object by kind, namespace and name; or the readers of a repository by `READERS` and kind, host and path
ObjectKey = tuple[str, str, str]
READERS: Final = "readers "
_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class RepositoryReaders:
    """The agents that read each repository. *repository* returns what is kept of a GitRepository by namespace and name."""

    def __init__(self, repository: Callable[[str, str], Object | None]) -> None:
        self._repository = repository
        self._readers: defaultdict[tuple[str, str, str], set[Key]] = defaultdict(set)

    def of(self, kind: str, place: tuple[str, str]) -> Iterable[Key]:
        """Return namespace and name of the agents of one kind that read the Git repository at *place*."""
        if kind != "Kustomization":
            return tuple(self._readers.get((kind, *place), ()))
        repositories = self._readers.get((GIT_REPOSITORY, *place), ())
        return tuple(key for repository in repositories for key in self._readers.get((kind, *repository), ()))

    def moved(self, kind: str, before: Mapping[Key, Object], now: Mapping[Key, Object]) -> frozenset[ObjectKey]:
        """Note who reads what, and return what is another now: objects, and the readers of a repository."""
        moved = [key for key, item in now.items() if before.get(key) is not item]
        moved += [key for key in before if key not in now]
        keys: set[ObjectKey] = {(kind, *key) for key in moved}
        for key in moved:
            old, new = (set(_reads(kind, item)) if (item := each.get(key)) else set() for each in (before, now))
            for place in old - new:
                self._readers[kind, *place].discard(key)
                if not self._readers[kind, *place]:
                    del self._readers[kind, *place]
            for place in new - old:
                self._readers[kind, *place].add(key)
            if old != new:
                keys |= self._about(kind, old | new)
        return frozenset(keys)

    def _about(self, kind: str, places: Iterable[tuple[str, str]]) -> set[ObjectKey]:
        """Return under which keys it is noted that somebody asked who reads *places*."""
        if kind == GIT_REPOSITORY:
            return {(f"{READERS}Kustomization", *place) for place in places}
        if kind != "Kustomization":
            return {(READERS + kind, *place) for place in places}
        items = (self._repository(*source) for source in places)
        return {(READERS + kind, *place) for item in items if item for place in _reads(GIT_REPOSITORY, item)}


def _reads(kind: str, item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what an agent reads: repositories, and of a Kustomization the namespace and name of its source."""
    spec = mapping_in(item, "spec")
    if kind == "Application":
        yield from (place_of(text_in(source, "repoURL")) for source in sources_of(item))
    elif kind == GIT_REPOSITORY:
        yield place_of(text_in(spec, "url"))
    elif kind == "Kustomization" and mapping_in(spec, "sourceRef"):
        source = mapping_in(spec, "sourceRef")
        if source.get("kind", GIT_REPOSITORY) == GIT_REPOSITORY:
            namespace = text_in(source, "namespace") or text_in(mapping_in(item, "metadata"), "namespace")
            yield namespace, text_in(source, "name")
