"""Which subscriptions an object of the cluster concerns: a change is looked at by those that read it, and by no others."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from updater.delivery.finding import FoundWorkloads, GitPlace, find_workloads
from updater.delivery.interest import needed_of
from updater.delivery.readers import READERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from updater.delivery.interest import Wanted
    from updater.delivery.judging import KnownWorkloads
    from updater.delivery.readers import ObjectKey
    from updater.kube.kinds import Key, Object
    from updater.model.release import ClusterContext, DeliveryOptions
    from updater.model.subscription import GitBranch, Subscription

_NOTHING_FOUND = FoundWorkloads()


def _everything(_kind: str) -> None:
    return None


class ReadObjects:
    """What is known of the cluster, for one subscription: each object that is read is noted in *read*.

    *need* returns what has to be known of a kind, None for all that is wanted of it.
    """

    def __init__(self, known: KnownWorkloads, read: set[ObjectKey], need: Callable[[str], Wanted | None] = _everything) -> None:
        self._known = known
        self._need = need
        self._read = read

    def is_known(self, kind: str, namespace: str) -> bool:
        """Return whether a kind was listed, and is watched at the moment."""
        return self._known.is_known(kind, namespace)

    def is_awaited(self, kind: str, namespace: str, need: Wanted | None = None) -> bool:
        """Return whether what the subscription needs of a kind is about to be listed for the first time."""
        return self._known.is_awaited(kind, namespace, need or self._need(kind))

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return what is kept of an object."""
        self._read.add((kind, namespace, name))
        return self._known.get(kind, namespace, name)

    def readers_of(self, kind: str, place: tuple[str, str]) -> Iterable[Key]:
        """Return the agents of one kind that read the Git repository at *place*."""
        self._read.add((READERS + kind, *place))
        return self._known.readers_of(kind, place)


class NothingKnown:
    """What is known before there is a way to the cluster."""

    def is_known(self, _kind: str, _namespace: str) -> bool:
        """Return False."""
        return False

    def is_awaited(self, _kind: str, _namespace: str, _need: Wanted | None = None) -> bool:
        """Return True."""
        return True

    def get(self, _kind: str, _namespace: str, _name: str) -> Object | None:
        """Return None."""
        return None

    def readers_of(self, _kind: str, _place: tuple[str, str]) -> Iterable[Key]:
        """Return nothing."""
        return ()


class WorkloadIndex:
    """The workloads of each subscription, found once and again when something that this read has changed.

    *known* says what the cluster of updater has, `elsewhere` what others have. Objects of the same name in two clusters are one
    here when they change: those that read either of them are looked at.
    """

    def __init__(self, known: KnownWorkloads) -> None:
        self.known = known
        self.elsewhere: dict[ClusterContext, KnownWorkloads] = {}
        self._nothing = NothingKnown()
        self._found: dict[str, FoundWorkloads] = {}
        self._read: dict[str, set[ObjectKey]] = {}
        self._readers: defaultdict[ObjectKey, set[str]] = defaultdict(set)
        self._paths: dict[str, dict[GitBranch, tuple[str, ...]]] = {}

    def put_paths(self, key: str, branch: GitBranch, paths: tuple[str, ...]) -> None:
        """Note in which files of a branch the subscription *key* has its places."""
        known = self._paths.setdefault(key, {})
        if known.get(branch) != paths:
            known[branch] = paths
            self._found.pop(key, None)

    def put_known(self, cluster: ClusterContext | None, known: KnownWorkloads) -> None:
        """Go by *known* for what is followed in a cluster from now on, None for that of updater."""
        if cluster is None:
            self.known = known
        else:
            self.elsewhere[cluster] = known
        self.changed(None)

    def known_for(self, options: DeliveryOptions | None) -> KnownWorkloads:
        """Return what the cluster has in which these deliveries are followed."""
        if options is None or options.cluster is None:
            return self.known
        return self.elsewhere.get(options.cluster, self._nothing)

    def of(self, subscription: Subscription) -> FoundWorkloads:
        """Return what runs the image of *subscription*."""
        key = subscription.key
        found = self._found.get(key)
        if found is None:
            branches = self._paths.get(key, {}).items()
            places = [GitPlace(branch.url, branch.branch, path) for branch, paths in branches for path in paths]
            read: set[ObjectKey] = set()
            options = subscription.delivery
            view = ReadObjects(self.known_for(options), read, partial(needed_of, subscription))
            found = find_workloads(subscription.image, options, view, places) if options else _NOTHING_FOUND
            self._found[key] = found
            self.note(key, read)
        return found

    def note(self, key: str, read: set[ObjectKey]) -> None:
        """Note what was read for a subscription, besides what was noted before."""
        known = self._read.setdefault(key, set())
        for each in read - known:
            self._readers[each].add(key)
        known |= read

    def is_noted(self, key: str) -> bool:
        """Return whether it is known what was read for a subscription."""
        return key in self._read

    def changed(self, objects: frozenset[ObjectKey] | None) -> set[str]:
        """Forget what was found by *objects*, None for all; return the keys of the subscriptions that had read one of them."""
        read = self._readers if objects is None else objects
        keys = {key for each in read for key in self._readers.get(each, ())}
        for key in keys if objects is not None else {*keys, *self._found}:
            self._drop(key)
        return keys

    def forget(self, keys: Iterable[str]) -> None:
        """Forget subscriptions that are gone, or are others by now."""
        for key in keys:
            self._drop(key)

    def leave(self, key: str) -> None:
        """Forget the places of a subscription that is not asked for any more."""
        self._drop(key)
        self._paths.pop(key, None)

    def _drop(self, key: str) -> None:
        self._found.pop(key, None)
        for each in self._read.pop(key, ()):
            readers = self._readers.get(each)
            if readers is not None:
                readers.discard(key)
                if not readers:
                    del self._readers[each]
