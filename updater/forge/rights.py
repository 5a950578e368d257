"""What a token needs, in the words of each forge, and what a forge says that a refused one lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.forge.address import ForgeKind
from updater.forge.reading import listing, mapping, parsed, text
from updater.http.redaction import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.http.exchange import Response

_LONGEST: Final = 120
_NEEDED: Final[Mapping[ForgeKind, str]] = {
    ForgeKind.GITHUB: "on GitHub: Contents and Pull requests, read and write; of a classic token the scope repo",
    ForgeKind.GITLAB: "on GitLab: the scopes api and write_repository, and the role Developer",
    ForgeKind.GITEA: "on Gitea: the scopes write:repository and write:issue, and write access to the repository",
    ForgeKind.BITBUCKET: "on Bitbucket: Pull requests and Repositories, write",
    ForgeKind.BITBUCKET_SERVER: "on Bitbucket Data Center: the permission Repository write",
    ForgeKind.AZURE: "on Azure DevOps: the scope Code (read & write), and Contribute to pull requests",
}
#: where GitHub names the rights that an endpoint takes: of fine-grained tokens and Apps, of classic tokens
_HEADERS: Final = ("X-Accepted-GitHub-Permissions", "X-Accepted-OAuth-Scopes")


def denial_hint(kind: ForgeKind, status: int = 403) -> str:
    """Return what to do about a token that a forge refuses with *status*: 403 where it is known, and lacks a right."""
    needs = f"allowed to read and write pull requests and the contents of this repository ({_NEEDED[kind]})"
    if status == 403:
        return f"check the token: it must be {needs}; the next landing tries again"
    return f"the token is not valid, or no longer: it expired or was revoked; write a new one, {needs}, in its place"


def lacking(answer: Response) -> str:
    """Return the rights that the forge asks for in a refusal, "" where it names none beside its message."""
    for name in _HEADERS:
        if named := answer.header(name):
            return told(named, most=_LONGEST, secrets=answer.secrets)
    try:
        found = mapping(parsed(answer.body))
    except ValueError:
        return ""
    wanted = [text(item) for item in listing(mapping(found, "error", "detail").get("required"))]  # Bitbucket Cloud
    return told(", ".join(wanted) or text(found.get("scope")), most=_LONGEST, secrets=answer.secrets)  # scope: GitLab
