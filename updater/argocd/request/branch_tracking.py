"""Whether an Application follows a branch: only then there is something new for Argo CD to see after a push to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from updater.argocd.application_source import read_sources
from updater.model.publishing import Proposal, PushTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from updater.model.subscription import GitBranch

_SCHEME: Final = re.compile(r"^[a-z+]+://", re.IGNORECASE)
_DEFAULT: Final = frozenset({"", "HEAD"})


def follows(spec: Mapping[str, Any], destination: GitBranch) -> bool:
    """Return whether a source of *spec* reads the branch that is written.

    The server's default branch is known by no name here, so where one side means it and the other has a name, they may
    be the same. A branch whose name is a template is nobody's yet, and one that is proposed from is nobody's at all.
    """
    if isinstance(destination.publishing, PushTemplate | Proposal):
        return False
    pushed, repository = _branch(destination.push), repository_place(destination.url)
    sources = [source for source in read_sources(spec) if repository_place(source.repository) == repository]
    return any(_may_be_same(_branch(source.revision), pushed) for source in sources)


def is_hydrated(spec: Mapping[str, Any]) -> bool:
    """Return whether manifests are made from a dry source, which Argo CD does only when it is asked for that."""
    return any("drySource" in source.place for source in read_sources(spec))


def _may_be_same(one: str, other: str) -> bool:
    return one == other or "" in {one, other}


def _branch(name: str) -> str:
    return "" if name in _DEFAULT else name.removeprefix("refs/heads/")


def repository_place(url: str) -> str:
    """Return what the spellings of one repository have in common: host and path, for https, ssh and ``git@host:path``."""
    rest = _SCHEME.sub("", url.strip())
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2]
    if ":" in host and not _SCHEME.match(url.strip()):
        host, _, first = host.partition(":")
        path = f"{first}{slash}{path}"
    host = host.partition(":")[0].lower()
    return f"{host}/{path.strip('/').removesuffix('.git')}"
