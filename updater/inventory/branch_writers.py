"""Who would undo what somebody else writes to a branch, and when two spellings of a URL are one repository."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.model.subscription import GitBranch

_SCP_LIKE: Final = re.compile(r"(?:(?P<user>[^/:@\s]+)@)?(?P<host>[^/:@\s]+):(?P<path>.+)", re.DOTALL)


@lru_cache(maxsize=16384)
def repository(url: str) -> tuple[str, str]:
    """Fold the spellings of one repository: a slash or .git at the end, the case of the host. Return that and the user apart."""
    scheme, separator, rest = url.partition("://")
    if separator:
        place, slash, path = rest.partition("/")
        user, _, host = place.rpartition("@")
        start = f"{scheme.lower()}://{host.lower()}{slash}"
    elif found := _SCP_LIKE.fullmatch(url):
        user, path, start = found["user"] or "", found["path"], f"{found['host'].lower()}:"
    else:
        user, path, start = "", url, ""
    return f"{start}{path.rstrip('/').removesuffix('.git')}", user


class BranchWriters:
    """Who writes a branch straight, who makes one anew, and who does so over which base: by repository and branch.

    *keys* name who writes each branch.
    """

    def __init__(self, keys: Mapping[GitBranch, str]) -> None:
        self._keys = keys
        self._straight: defaultdict[tuple[str, str], list[GitBranch]] = defaultdict(list)
        self._anew: defaultdict[tuple[str, str], list[GitBranch]] = defaultdict(list)
        self._over: defaultdict[tuple[str, str], list[GitBranch]] = defaultdict(list)
        for found in keys:
            place, _ = repository(found.url)
            if found.is_rebuilt:
                self._anew[place, found.push].append(found)
                self._over[place, found.branch].append(found)
            else:
                self._straight[place, found.branch].append(found)

    def clashes(self, those: Iterable[GitBranch], *, is_first: bool) -> dict[GitBranch, str]:
        """Return which of *those* would undo what one of these writes, or be undone, and how.

        Who writes a branch straight undoes nobody, and has to go only where these come first (*is_first*): else one wrong
        push branch would stop all who work on that branch.
        """
        asked = ((found, self._clash(found)) for found in those if is_first or found.is_rebuilt)
        return {found: reason for found, reason in asked if reason}

    def _clash(self, found: GitBranch) -> str:
        place, _ = repository(found.url)
        # an empty base is the default branch, whose name is not known here
        if found.branch and (other := self._other(found, self._anew.get((place, found.branch)))):
            verb = "reads" if found.is_rebuilt else "writes"
            return f"{verb} {found.branch}, which is rebuilt as the push branch of {other}"
        if not found.is_rebuilt:
            return ""
        base = f"{found.push} over {found.ref or found.branch or 'the default branch'}"
        if other := self._other(found, self._anew.get((place, found.push))):
            ways = "from another base, in another way or through another URL or credential"
            return f"rebuilds {base}, and {other} rebuilds it as well, {ways}"
        if other := self._other(found, self._over.get((place, found.push))):
            return f"makes {base}, and {other} has it as the base of another branch"
        if other := self._other(found, self._straight.get((place, found.push))):
            return f"makes {base}, and {other} writes to it straight"
        return ""

    def _other(self, found: GitBranch, those: Iterable[GitBranch] | None) -> str:
        """Name another one of *those*; each stands there once, so this ends with the second."""
        for other in those or ():
            if other != found:
                return self._keys[other]
        return ""
