"""Where people read a file or a commit in a browser: the addresses of each forge, made from the URL of the repository alone.

Only the URL of a forge whose kind the host or the settings tell becomes a link. A link has no user name and no password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from updater.forge.address import ForgeKind, forge_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.model.subscription import GitBranch

    File = Callable[[str, str, str, int], str]

_FILES: Final[Mapping[ForgeKind, File]] = {
    ForgeKind.GITHUB: lambda home, ref, path, line: f"{home}/blob/{ref}/{path}#L{line}",
    ForgeKind.GITLAB: lambda home, ref, path, line: f"{home}/-/blob/{ref}/{path}#L{line}",
    ForgeKind.GITEA: lambda home, ref, path, line: f"{home}/src/branch/{ref}/{path}#L{line}",
    ForgeKind.BITBUCKET: lambda home, ref, path, line: f"{home}/src/{ref}/{path}#lines-{line}",
    ForgeKind.AZURE: lambda home, ref, path, line: f"{home}?path=/{path}&version=GB{ref}&line={line}",
}
_COMMITS: Final[Mapping[ForgeKind, str]] = {
    ForgeKind.GITHUB: "commit",
    ForgeKind.GITLAB: "-/commit",
    ForgeKind.GITEA: "commit",
    ForgeKind.BITBUCKET: "commits",
    ForgeKind.AZURE: "commit",
}


class ForgeLinks:
    """Makes links; *kind_of* returns the kind of forge that the settings name for a repository, None where they name none."""

    def __init__(self, kind_of: Callable[[str], ForgeKind | None] = lambda _url: None) -> None:
        self._kind_of = kind_of

    def file(self, branch: GitBranch, path: str, line: int) -> str | None:
        """Return where a line of a file is read, None where that is not known."""
        home = self._home(branch.url)
        name = branch.branch
        if home is None or not name or home[1] not in _FILES:
            return None
        safe = "" if home[1] is ForgeKind.AZURE else "/"
        encoded = quote(path.encode("utf-8", "surrogateescape"), safe="/")
        return _FILES[home[1]](home[0], quote(name, safe=safe), encoded, line)

    def commit(self, branch: GitBranch, revision: str) -> str | None:
        """Return where a commit is read, None where that is not known."""
        home = self._home(branch.url)
        if home is None or home[1] not in _COMMITS or not revision.isalnum():
            return None
        return f"{home[0]}/{_COMMITS[home[1]]}/{revision}"

    def _home(self, url: str) -> tuple[str, ForgeKind] | None:
        address = forge_address(url)
        kind = self._kind_of(url) or address.kind
        if kind is None or not address.host or not address.folders:
            return None
        if kind is ForgeKind.AZURE and "_git" not in address.folders:  # by SSH its path is another one
            return None
        *folders, name = address.folders
        home = "/".join(quote(part, safe="") for part in (*folders, name.removesuffix(".git")))
        return f"{address.scheme}://{address.place}/{home}", kind
