"""Which workloads run the image of a subscription: a named one, or those among what Argo CD and Flux say they applied.

An Application lists its resources, a Kustomization and a HelmRelease their inventory. Of those count the ones whose pod template
names the image. A Rollout or Canary stands for the workload that it refers to. What is applied to another cluster is not looked
for in this one: there the agent itself is asked. Pure over what is known.
https://fluxcd.io/flux/components/kustomize/kustomizations/#inventory
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from updater.delivery.state import MOST_ITEMS, images_of, read_reference, text_in
from updater.documents.members import list_in, mapping_in
from updater.inventory.pushes import place_of
from updater.model.release import AGENT_KINDS, Workload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from updater.model.image import ImageName
    from updater.model.release import DeliveryOptions

GIT_REPOSITORY: Final = "GitRepository"
#: the kinds that run pods; the last two may refer to one of the others
POD_KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet", "Rollout", "Canary")
MOST_FOUND: Final = 50
_IN_CLUSTER: Final = frozenset({"https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local"})
_ENTRY_PARTS: Final = 4


class ListedObjects(Protocol):
    """What is known of a cluster; see `updater.delivery.watch.WorkloadWatch`."""

    def is_awaited(self, kind: str, namespace: str) -> bool:
        """Return whether a kind is about to be listed for the first time."""

    def get(self, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return what is kept of an object."""

    def readers_of(self, kind: str, place: tuple[str, str]) -> Iterable[tuple[str, str]]:
        """Return namespace and name of the agents of one kind that read the Git repository at *place*."""


@dataclass(frozen=True, slots=True)
class GitPlace:
    """One file of one branch; "" is the default branch."""

    url: str
    branch: str
    path: str


@dataclass(frozen=True, slots=True)
class FoundWorkload:
    """What runs an image, and the agent that applies it; None where people named the workload, or it is the agent itself."""

    workload: Workload
    agent: Workload | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWorkloads:
    """What runs an image; where nothing does, *reason* says why.

    *is_awaited* while that is not known yet, *is_too_many* where so much was found that people have to say what counts.
    """

    found: tuple[FoundWorkload, ...] = ()
    reason: str = ""
    is_awaited: bool = False
    is_too_many: bool = False

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """The workloads alone."""
        return tuple(item.workload for item in self.found)


def find_workloads(
    image: ImageName, options: DeliveryOptions, known: ListedObjects, places: Iterable[GitPlace] = ()
) -> FoundWorkloads:
    """Return what runs *image* of a subscription; *places* are the files that it writes."""
    if options.workload is not None:
        return FoundWorkloads(found=(FoundWorkload(options.workload),))
    agents = [options.agent] if options.agent else _reading(options.searched, places, known)
    awaited = _awaited((options.agent.kind,) if options.agent else options.searched, agents, known)
    if awaited:
        return FoundWorkloads(reason=f"{awaited}s are not listed yet", is_awaited=True)
    if not agents:
        return FoundWorkloads(reason=f"no {' and no '.join(options.searched)} reads the file that is written")
    if len(agents) > MOST_FOUND:
        named = " or ".join(f"delivery.{kind.lower()}" for kind in options.searched)
        return _too_many(f"{len(agents)} objects read the file that is written: name the one that counts ({named})")
    missing = [agent for agent in agents if known.get(agent.kind, agent.namespace, agent.name) is None]
    found = list(dict.fromkeys(item for agent in agents if agent not in missing for item in _run_by(agent, image, known)))
    if not found:
        return FoundWorkloads(reason=f"{missing[0]} does not exist" if missing else f"nothing that {agents[0]} applied is known")
    if len(found) > MOST_FOUND:  # which of them count is not ours to say
        return _too_many(f"{len(found)} workloads run the image: name the one that counts (delivery.workload)")
    return FoundWorkloads(found=tuple(found))


def _too_many(reason: str) -> FoundWorkloads:
    return FoundWorkloads(reason=reason, is_too_many=True)


def inventory_of(item: Mapping[str, Any]) -> Iterator[Workload]:
    """Yield what an agent says it applied, as far as its kind is one that runs pods or an agent itself."""
    kinds = {*POD_KINDS, *AGENT_KINDS}
    status = mapping_in(item, "status")
    for each in list_in(status, "resources"):
        if isinstance(each, dict) and each.get("kind") in kinds:
            yield Workload(text_in(each, "kind"), text_in(each, "namespace"), text_in(each, "name"))
    for each in list_in(mapping_in(status, "inventory"), "entries"):
        parts = text_in(each, "id").split("_") if isinstance(each, dict) else []
        if len(parts) == _ENTRY_PARTS and parts[3] in kinds:
            yield Workload(parts[3], parts[0], parts[1])


def sources_of(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the sources of an Application that are read from Git, the dry one of a hydrator among them."""
    spec = mapping_in(item, "spec")
    dry = mapping_in(mapping_in(spec, "sourceHydrator"), "drySource")
    several = [each for each in list_in(spec, "sources")[:MOST_ITEMS] if isinstance(each, dict)]
    return [each for each in (dry, mapping_in(spec, "source"), *several) if each.get("repoURL") and not each.get("chart")]


def is_remote(kind: str, item: Mapping[str, Any]) -> bool:
    """Return whether an agent applies to another cluster than this one."""
    spec = mapping_in(item, "spec")
    if kind != "Application":
        return bool(mapping_in(spec, "kubeConfig"))
    place = mapping_in(spec, "destination")
    server, name = text_in(place, "server").rstrip("/"), text_in(place, "name")
    return (bool(server) and server not in _IN_CLUSTER) or name not in {"", "in-cluster"}


def _awaited(kinds: Iterable[str], agents: Iterable[Workload], known: ListedObjects) -> str:
    """Return a kind that has to be listed first, "" where all are; one that is not installed is."""
    wanted = [(agent.kind, agent.namespace) for agent in agents] or [(kind, "") for kind in kinds]
    wanted += [(kind, "") for kind in POD_KINDS]
    return next((kind for kind, namespace in wanted if known.is_awaited(kind, namespace)), "")


def _reading(kinds: Iterable[str], places: Iterable[GitPlace], known: ListedObjects) -> list[Workload]:
    """Return the agents that read one of the files."""
    found: dict[Workload, None] = {}
    for place in places:
        for kind in kinds:
            for namespace, name in known.readers_of(kind, place_of(place.url)):
                item = known.get(kind, namespace, name)
                if item is not None and _reads(kind, item, place, known):
                    found[Workload(kind, namespace, name)] = None
    return sorted(found)


def _reads(kind: str, item: Mapping[str, Any], place: GitPlace, known: ListedObjects) -> bool:
    if kind == "Application":
        return any(
            place_of(text_in(each, "repoURL")) == place_of(place.url)
            and _is_branch(text_in(each, "targetRevision"), place.branch)
            and _holds(text_in(each, "path"), place.path)
            for each in sources_of(item)
        )
    spec = mapping_in(item, "spec")
    source = mapping_in(spec, "sourceRef")
    namespace = text_in(source, "namespace") or text_in(mapping_in(item, "metadata"), "namespace")
    repository = known.get(GIT_REPOSITORY, namespace, text_in(source, "name"))
    asked = mapping_in(repository or {}, "spec")
    ref = mapping_in(asked, "ref")
    is_branch = not ref or _is_branch(text_in(ref, "branch"), place.branch)
    is_there = repository is not None and place_of(text_in(asked, "url")) == place_of(place.url)
    return is_there and is_branch and _holds(text_in(spec, "path"), place.path)


def _is_branch(revision: str, branch: str) -> bool:
    """Return whether an agent that reads *revision* sees *branch*; HEAD may be any branch."""
    return revision in {"", "HEAD"} or branch in {"", revision, revision.removeprefix("refs/heads/")}


def _holds(folder: str, path: str) -> bool:
    parts = [part for part in folder.split("/") if part not in {"", "."}]
    return path.split("/")[: len(parts)] == parts


def _run_by(agent: Workload, image: ImageName, known: ListedObjects) -> list[FoundWorkload]:
    """Return what *agent* applied that runs *image*; the agent itself where none of that is known."""
    item = known.get(agent.kind, agent.namespace, agent.name) or {}
    applied = [] if is_remote(agent.kind, item) else list(inventory_of(item))
    below = [each for each in applied if each.kind == "HelmRelease"] if agent.kind != "HelmRelease" else []
    running = _running([each for each in applied if each.kind in POD_KINDS], image, known)
    found = [FoundWorkload(workload, agent) for workload in running]
    for release in below:
        helm = known.get(release.kind, release.namespace, release.name)
        if helm is not None:
            own = _run_by(release, image, known)
            found += own if own[0].agent is not None or _mentions(helm, image) else []
    return found or [FoundWorkload(agent)]


def _running(applied: Iterable[Workload], image: ImageName, known: ListedObjects) -> list[Workload]:
    """Return the workloads that run *image*, without those for which a Rollout or Canary stands."""
    running: list[Workload] = []
    stood_for: set[Workload] = set()
    for each in applied:
        item = known.get(each.kind, each.namespace, each.name)
        if item is None:
            continue
        spec = mapping_in(item, "spec")
        refers = mapping_in(spec, "workloadRef") or mapping_in(spec, "targetRef")
        owner = Workload(text_in(refers, "kind") or "Deployment", each.namespace, text_in(refers, "name")) if refers else each
        template = mapping_in(mapping_in(known.get(owner.kind, owner.namespace, owner.name) or {}, "spec"), "template")
        if any(ref is not None and ref.name == image for ref in map(read_reference, images_of(template))):
            running.append(each)
            if owner != each:
                stood_for.add(owner)
    return [each for each in running if each not in stood_for]


def _mentions(helm: Mapping[str, Any], image: ImageName) -> bool:
    """Return whether a text in the values of a HelmRelease names *image*."""
    queue: list[Any] = [mapping_in(mapping_in(helm, "spec"), "values")]
    for _ in range(MOST_ITEMS * 25):
        if not queue:
            return False
        value = queue.pop()
        if isinstance(value, str) and (ref := read_reference(value)) is not None and ref.name == image:
            return True
        queue += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return False
