"""Which forge serves the remote of a checkout, and by which token: what the services of CI jobs put into the environment.

A token is shown only to the server that it was made for: the variables of a job count where the remote lies on the job's server.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from updater.errors import ConfigError, ForgeError
from updater.forge.address import ForgeKind, forge_address, kind_of_api, locate_repository
from updater.forge.base import ForgeAccess
from updater.git.access import parse_address
from updater.model.credential import Credential, read_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.forge.address import ForgeRepository
    from updater.forge.kinds import KindFinder
    from updater.git.access import GitAccess, GitAddress

KIND: Final = "UPDATER_FORGE_KIND"
API: Final = "UPDATER_FORGE_API"
TOKEN: Final = "UPDATER_FORGE_TOKEN"  # noqa: S105 - the name of a variable
#: the variables in which the forges' own tools look for a token, by kind
_TOKENS: Final[Mapping[str, tuple[str, ...]]] = {
    "gitea": ("GITEA_TOKEN", "FORGEJO_TOKEN"),
    "gitlab": ("GITLAB_TOKEN",),
    "bitbucket": ("BITBUCKET_TOKEN",),
    "bitbucket-server": ("BITBUCKET_TOKEN",),
    "azure": ("AZURE_DEVOPS_EXT_PAT", "SYSTEM_ACCESSTOKEN"),
}
_JOB_USER: Final = "gitlab-ci-token"
_TOKEN_HINT: Final = f"set {TOKEN} to a token that may push and write pull requests"
_JOB_HINT: Final = (
    "CI_JOB_TOKEN may not write merge requests: create a project access token with the scopes api and write_repository, "
    "and give it to the job as GITLAB_TOKEN"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeConfiguration:
    """What a configuration says of the forge; *token* is the token itself, "" where it names none, *accounts* in lower case."""

    kind: ForgeKind | None = None
    api: str = ""
    token: str = field(default="", repr=False)
    accounts: frozenset[str] = frozenset()


class RemoteForge:
    """The forge of the Git URL *url*, as *asked* and the *environment* name it; raises `GitError` ``git-url``."""

    def __init__(self, url: str, environment: Mapping[str, str], asked: ForgeConfiguration | None = None) -> None:
        self._url = url
        self._asked = asked or ForgeConfiguration()
        self._address: GitAddress = parse_address(url)
        self._environment = environment

    @cached_property
    def kind(self) -> ForgeKind | None:
        """The forge: by the variables, the configuration, the job, the URL of the API or the host; None where only it can tell.

        Raises `ConfigError` for a kind that is none.
        """
        said = self._said(KIND).lower()
        if said and said not in set(ForgeKind):
            raise ConfigError(f"{KIND}: {said!r} is not a forge", hint=f"one of {', '.join(ForgeKind)}", code="usage")
        name = said or self._asked.kind or self._job
        api = kind_of_api(self._said(API) or self._asked.api)
        return ForgeKind(name) if name else api or forge_address(self._url).kind

    @property
    def can_tell(self) -> bool:
        """Whether the remote has a host that can be asked which forge it is."""
        return bool(self._address.host)

    def repository(self, kind: ForgeKind | None) -> ForgeRepository:
        """Return where a forge of *kind* is asked; raise `ForgeError` ``forge-unknown`` and ``forge-path``."""
        api = self._said(API) or self._asked.api or (self._job_api if kind == self._job else "")
        return locate_repository(self._url, kind=kind, api=api)

    async def find_kind(self, finder: KindFinder, access: GitAccess) -> ForgeKind:
        """Return the kind, which the host is asked where nobody says it; raise `ForgeError` ``forge-unknown``."""
        if self.kind is not None:
            return self.kind
        try:
            return await finder.kind(forge_address(self._url), access.connection())
        except ForgeError as error:
            if error.code != "forge-unknown":
                raise
            hint = f"set {KIND} to one of {', '.join(ForgeKind)}, or name it under git.repositories[].forge and give that by -c"
            raise ForgeError(error.message, hint=hint, code=error.code) from error

    def shown(self, kind: ForgeKind, access: GitAccess) -> ForgeAccess:
        """Return what a forge is shown: by the variables, the configuration, the job, its own tools, else what Git is shown.

        Raises `ForgeError` ``forge-token`` where there is none.
        """
        named = self._said(TOKEN) or self._asked.token or next(filter(None, map(self._said, self._names(kind))), "")
        found = read_token(named) if named else self._shown_to_git(access)
        token = found.registry_token or found.password
        if token and token.isascii() and token.isprintable() and " " not in token:
            is_bearer = bool(found.registry_token)
            return ForgeAccess(
                token=token,
                connection=access.connection(),
                username=found.username,
                is_bearer=is_bearer,
                accounts=self._asked.accounts,
            )
        hint = _JOB_HINT if kind == "gitlab" and self._said("CI_JOB_TOKEN") else _TOKEN_HINT
        raise ForgeError(f"there is no token for the pull requests of {self._address}", hint=hint, code="forge-token")

    def pushing(self, access: GitAccess) -> GitAccess:
        """Return how Git pushes: in a job of GitLab by GITLAB_TOKEN, as the token of the job itself may only read."""
        token = self._said("GITLAB_TOKEN") if self._job == "gitlab" else ""
        if not token or access.credential is not None or self._address.username not in {"", _JOB_USER}:
            return access
        return replace(access, credential=Credential(username="oauth2", password=token))

    @cached_property
    def _job(self) -> str:
        """The kind of the forge whose CI job this is, where the remote lies on the same server; "" otherwise."""
        if self._is_at(self._said("GITHUB_SERVER_URL")):
            return "gitea" if self._is_gitea else "github"
        return "gitlab" if self._said("GITLAB_CI") and self._is_at(self._said("CI_SERVER_URL")) else ""

    @property
    def _is_gitea(self) -> bool:
        """Whether the job runs on Gitea or Forgejo, which set the variables of GitHub too."""
        return any(self._said(name) == "true" for name in ("GITEA_ACTIONS", "FORGEJO_ACTIONS"))

    @property
    def _job_api(self) -> str:
        return self._said("CI_API_V4_URL" if self._job == "gitlab" else "GITHUB_API_URL").rstrip("/")

    def _names(self, kind: str) -> tuple[str, ...]:
        """Return which variables hold a token that was made for this server."""
        of_job = ("GITHUB_TOKEN",) if self._job in {"github", "gitea"} and self._job == kind else ()
        if kind == "github":
            is_public = self._address.host.lower() == "github.com"
            beside_jobs = ("GITHUB_TOKEN",) if is_public and not self._said("GITHUB_SERVER_URL") else ()
            return (*(("GH_TOKEN",) if is_public else ("GH_ENTERPRISE_TOKEN",)), *of_job, *beside_jobs)
        is_of_another_server = kind == "gitlab" and self._said("GITLAB_CI") and self._job != kind
        return () if is_of_another_server else (*_TOKENS.get(kind, ()), *of_job)

    def _shown_to_git(self, access: GitAccess) -> Credential:
        """Return what Git itself shows the server over HTTP, where that may be a token for pull requests."""
        if self._address.scheme not in {"http", "https"}:
            return Credential()
        if access.credential is not None:
            return access.credential
        header = next((value for name, value in access.headers if name.lower() == "authorization"), "")
        user, password = _shown_by(header) if header else (self._address.username, self._address.password)
        return Credential() if user == _JOB_USER else Credential(username=user, password=password)

    def _is_at(self, server: str) -> bool:
        """Return whether the remote lies at the URL of a server: at its host and port over HTTP, at its host over SSH."""
        try:
            there = urlsplit(server)
            port = there.port or _usual_port(there.scheme)
        except ValueError:
            return False
        here = self._address
        is_same_host = bool(there.hostname) and there.hostname == here.host.lower()
        return is_same_host and (here.scheme == "ssh" or port == (here.port or _usual_port(here.scheme)))

    def _said(self, name: str) -> str:
        return self._environment.get(name, "").strip()


def _usual_port(scheme: str) -> int:
    return 80 if scheme == "http" else 443


def _shown_by(header: str) -> tuple[str, str]:
    """Return user name and password of a header: `actions/checkout` leaves the token of the job to Git in one."""
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() in {"bearer", "token"}:
        return "", value.strip()
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password
