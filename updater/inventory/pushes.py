"""Which listed images and destinations a push is about: what nobody lists costs one lookup."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from updater.errors import ImageSyntaxError
from updater.inventory.branch_writers import repository
from updater.model.image import parse_name
from updater.model.subscription import GitBranch
from updater.model.webhook import ImagePush

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.inventory.plan import Plan
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Destination
    from updater.model.webhook import BranchPush, Push


class PushIndex:
    """The images and branches of *plan*, found by what senders call them. *hosts* are other names of registries.

    A push that names no registry is about every listed image of its path: a scan too many is harmless. Git repositories are
    compared by host and path, since senders name other schemes and ports than the configuration.
    """

    def __init__(self, plan: Plan, hosts: Mapping[str, str]) -> None:
        self._hosts = hosts
        self._named: defaultdict[tuple[str, str], list[ScanKey]] = defaultdict(list)
        self._by_path: defaultdict[str, list[ScanKey]] = defaultdict(list)
        self._branches: defaultdict[tuple[str, str], list[Destination]] = defaultdict(list)
        for listed in plan.images:
            self._named[listed.image.registry, listed.image.path].append(listed)
            self._by_path[listed.image.path].append(listed)
        for destination in plan.destinations:
            if isinstance(destination, GitBranch):
                self._branches[place_of(destination.url)].append(destination)

    def images(self, push: ImagePush) -> tuple[ScanKey, ...]:
        """Return the listed images that were pushed to, perhaps none."""
        path = push.path.lower().strip("/")
        if not push.registry:
            return tuple(self._by_path.get(path, ()))
        try:
            name = parse_name(f"{push.registry}/{path}")
        except ImageSyntaxError:
            return ()
        registry = self._hosts.get(name.registry, name.registry)
        found = self._named.get((registry, name.path), ())
        return tuple(found or self._named.get((name.registry, name.path), ()))

    def destinations(self, push: BranchPush) -> tuple[Destination, ...]:
        """Return the destinations that are read from, or written to, the branch that was pushed to."""
        places = dict.fromkeys(map(place_of, push.urls))
        found = (item for place in places for item in self._branches.get(place, ()))
        return tuple(dict.fromkeys(item for item in found if _is_on(item, push.branch)))

    def find(self, push: Push) -> tuple[tuple[ScanKey, ...], tuple[Destination, ...]]:
        """Return the images and the destinations that a push is about."""
        return (self.images(push), ()) if isinstance(push, ImagePush) else ((), self.destinations(push))


def place_of(url: str) -> tuple[str, str]:
    """Return the host of a Git repository and its path there, whatever scheme, user and port its URL has."""
    folded, _ = repository(url)
    if "://" in folded:
        try:
            parts = urlsplit(folded)
            host = parts.hostname or ""
        except ValueError:
            return "", folded
        return host, parts.path.strip("/").casefold()
    host, colon, path = folded.partition(":")
    return (host, path.strip("/").casefold()) if colon else ("", folded)


def _is_on(destination: Destination, branch: str) -> bool:
    """Return whether a push to *branch* may concern *destination*; one that is read by another ref always is."""
    if not isinstance(destination, GitBranch) or not destination.branch:
        return True
    return branch in {destination.branch, destination.push}
