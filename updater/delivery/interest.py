"""Which kinds are watched where, and which of their objects are kept: as few as the subscriptions that are followed need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from updater.delivery.finding import GIT_REPOSITORY, POD_KINDS, sources_of
from updater.delivery.kinds import KINDS
from updater.delivery.state import images_of, read_reference, text_in
from updater.documents.members import mapping_in
from updater.inventory.pushes import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from updater.model.image import ImageName
    from updater.model.subscription import Subscription

EVERYWHERE: Final = ""
_GLOBS: Final = frozenset("*?[/")
#: a kind and a namespace, `EVERYWHERE` for all of them
WatchPlace = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which objects of one kind are kept: all, or those that name one of *images* or read one of *repositories*.

    Of *namespaces* all are kept.
    """

    is_all: bool = False
    namespaces: frozenset[str] = frozenset()
    images: frozenset[ImageName] = frozenset()
    repositories: frozenset[tuple[str, str]] = frozenset()

    def __or__(self, other: Wanted) -> Wanted:
        return Wanted(
            is_all=self.is_all or other.is_all,
            namespaces=self.namespaces | other.namespaces,
            images=self.images | other.images,
            repositories=self.repositories | other.repositories,
        )

    @property
    def is_named(self) -> bool:
        """Whether somebody named an object, so that its kind has to be there."""
        return self.is_all or bool(self.namespaces)

    def within(self, namespace: str) -> Wanted:
        """Return what this keeps of one namespace, for a watch of all of them."""
        return replace(self, is_all=False, namespaces=self.namespaces | {namespace}) if self.is_all else self

    def seen_from(self, own: str, namespace: str) -> Wanted:
        """Return what a watch of the namespace *own* that keeps this has of what one of *namespace* keeps; both may be all."""
        if own == namespace:
            return self
        if own == EVERYWHERE:
            return replace(self, is_all=self.is_all or namespace in self.namespaces, namespaces=frozenset())
        return Wanted(namespaces=frozenset({own})) if self.is_all and namespace == EVERYWHERE else Wanted()

    def covers(self, other: Wanted) -> bool:
        """Return whether everything that *other* keeps is kept."""
        if self.is_all or other.is_all:
            return self.is_all
        names = self.namespaces >= other.namespaces
        return names and self.images >= other.images and self.repositories >= other.repositories

    def keeps(self, kind: str, item: Mapping[str, Any]) -> bool:
        """Return whether an object is kept. A Rollout or Canary that refers to another workload names no image itself."""
        if self.is_all or (kind not in POD_KINDS and kind != "Application"):
            return True
        if self.namespaces and text_in(mapping_in(item, "metadata"), "namespace") in self.namespaces:
            return True
        if kind == "Application":
            return any(place_of(text_in(source, "repoURL")) in self.repositories for source in sources_of(item))
        spec = mapping_in(item, "spec")
        if mapping_in(spec, "workloadRef") or kind == "Canary":
            return True
        return any((ref := read_reference(text)) and ref.name in self.images for text in images_of(mapping_in(spec, "template")))


ALL: Final = Wanted(is_all=True)


def wanted_places(subscriptions: Iterable[Subscription], namespaces: Mapping[str, tuple[str, ...]]) -> dict[WatchPlace, Wanted]:
    """Return what is watched for *subscriptions*, and which of it is kept.

    *namespaces* are those that a source is limited to, by the kind of its objects; where there is none, or a pattern, all are
    watched at once.
    """
    found: dict[WatchPlace, Wanted] = {}
    for item in subscriptions:
        for place, wanted in _places(item, namespaces):
            before = found.get(place)
            if before is None or not before.covers(wanted):
                found[place] = wanted if before is None else before | wanted
    everywhere = {kind for kind, namespace in found if namespace == EVERYWHERE}
    joined: dict[WatchPlace, Wanted] = {}
    for (kind, namespace), wanted in found.items():
        is_joined = namespace != EVERYWHERE and kind in everywhere
        place = (kind, EVERYWHERE if is_joined else namespace)
        kept = wanted.within(namespace) if is_joined else wanted
        joined[place] = joined[place] | kept if place in joined else kept
    return joined


def needed_of(item: Subscription, kind: str) -> Wanted:
    """Return what has to be known of a kind before anybody can say what runs the image of a subscription that is followed."""
    if item.delivery is None:
        return Wanted()
    if kind in POD_KINDS:
        return Wanted(images=frozenset({item.image}))
    read = frozenset(place_of(target.destination.url) for target in item.targets if target.destination.method == "git")
    return Wanted(repositories=read) if item.delivery.agent is None else ALL


def _places(item: Subscription, namespaces: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[WatchPlace, Wanted]]:
    options = item.delivery
    if options is None:
        return
    images = Wanted(images=frozenset({item.image}))
    named = options.workload
    if named is not None:
        for kind in (named.kind, *KINDS[named.kind].beside):
            yield (kind, named.namespace), ALL
            if kind in POD_KINDS:
                yield (kind, named.namespace), images
        return
    limited = namespaces.get(item.origin.kind, ())
    scopes = (EVERYWHERE,) if not limited or any(_GLOBS & set(name) for name in limited) else limited
    for kind in POD_KINDS:
        for scope in scopes:
            yield (kind, scope), images
    agents = (options.agent.kind,) if options.agent else options.searched
    if "Kustomization" in agents:
        agents = (*agents, "HelmRelease", *((GIT_REPOSITORY,) if options.searched else ()))
    own = options.agent if options.agent and item.origin.kind not in namespaces else None
    for kind in agents:
        for scope in (own.namespace,) if own and kind == own.kind else scopes:
            yield (kind, scope), needed_of(item, kind)
