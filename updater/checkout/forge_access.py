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
from updater.forge.address import ForgeKind, locate_repository
from updater.git.access import parse_address
from updater.model.credential import Credential

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.forge.address import ForgeRepository
    from updater.git.access import GitAccess, GitAddress

KIND: Final = "UPDATER_FORGE_KIND"
API: Final = "UPDATER_FORGE_API"
TOKEN: Final = "UPDATER_FORGE_TOKEN"  # noqa: S105 - the name of a variable
#: the variables in which the forges' own tools look for a token, by kind
_TOKENS: Final[Mapping[str, tuple[str, ...]]] = {
    "gitea": ("GITEA_TOKEN", "FORGEJO_TOKEN"),
    "gitlab": ("GITLAB_TOKEN",),
    "bitbucket": ("BITBUCKET_TOKEN",),
    "azure": ("AZURE_DEVOPS_EXT_PAT", "SYSTEM_ACCESSTOKEN"),
}
_JOB_USER: Final = "gitlab-ci-token"
_TOKEN_HINT: Final = f"set {TOKEN} to a token that may push and write pull requests"
_JOB_HINT: Final = (
    "CI_JOB_TOKEN may not write merge requests: create a project access token with the scopes api and write_repository, "
    "and give it to the job as GITLAB_TOKEN"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeWishes:
    """What a configuration says of the forge; *token* is the token itself, "" where it names none."""

    kind: ForgeKind | None = None
    api: str = ""
    token: str = field(default="", repr=False)


class RemoteForge:
    """The forge of the Git URL *url*, as *asked* and the *environment* name it; raises `GitError` ``git-url``."""

    def __init__(self, url: str, environment: Mapping[str, str], asked: ForgeWishes | None = None) -> None:
        self._url = url
        self._asked = asked or ForgeWishes()
        self._address: GitAddress = parse_address(url)
        self._environment = environment

    @cached_property
    def repository(self) -> ForgeRepository:
        """Where pull requests are asked for: by the variables, by the configuration, by the job, by the host.

        Raises `ConfigError` for a kind that is none, `ForgeError` ``forge-unknown`` and ``forge-path``.
        """
        said, job = self._said(KIND).lower(), self._job
        if said and said not in set(ForgeKind):
            raise ConfigError(f"{KIND}: {said!r} is not a forge", hint=f"one of {', '.join(ForgeKind)}", code="usage")
        name = said or self._asked.kind or (job if job in set(ForgeKind) else "")
        api = self._said(API) or self._asked.api or (self._job_api if name == job else "")
        try:
            return locate_repository(self._url, kind=ForgeKind(name) if name else None, api=api)
        except ForgeError as error:
            if error.code != "forge-unknown":
                raise
            hint = f"set {KIND} to one of {', '.join(ForgeKind)}, or name it under git.repositories[].forge and give that by -c"
            raise ForgeError(error.message, hint=hint, code=error.code) from error

    def token(self, access: GitAccess) -> str:
        """Return the token: of the variables, the configuration, the job, the forge's own tools, else what Git is shown.

        Raises `ForgeError` ``forge-token`` where there is none.
        """
        kind = str(self.repository.kind)
        found = self._said(TOKEN) or self._asked.token
        found = found or next(filter(None, map(self._said, self._names(kind))), "") or self._token_of_git(access)
        if found and found.isascii() and found.isprintable() and " " not in found:
            return found
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

    def _token_of_git(self, access: GitAccess) -> str:
        """Return what Git itself shows the server over HTTP, where that may be a token for pull requests."""
        if self._address.scheme not in {"http", "https"}:
            return ""
        if access.credential is not None:
            return access.credential.registry_token or access.credential.password
        header = next((value for name, value in access.headers if name.lower() == "authorization"), "")
        user, password = _shown_by(header) if header else (self._address.username, self._address.password)
        return "" if user == _JOB_USER else password

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
