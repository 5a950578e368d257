"""What a checkout's own configuration says: where to push, what CI systems put there to get in, and who commits."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from updater.credentials.netrc import netrc_login
from updater.git.access import GitAccess, parse_address
from updater.git.faults import fault
from updater.git.object_builder import Identity
from updater.git.ssh_command import follow_ssh_command
from updater.model.credential import Credential

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*+(.*)")
USERNAME: Final = "UPDATER_GIT_USERNAME"
PASSWORD: Final = "UPDATER_GIT_PASSWORD"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where a push goes."""

    remote: str
    url: str
    branch: str


#: GitHub, GitLab, Buildkite, CircleCI, Bitbucket, Drone and Woodpecker, Azure Pipelines, Jenkins
CI_BRANCHES: Final = (
    "GITHUB_REF_NAME",
    "CI_COMMIT_BRANCH",
    "BUILDKITE_BRANCH",
    "CIRCLE_BRANCH",
    "BITBUCKET_BRANCH",
    "DRONE_BRANCH",
    "BUILD_SOURCEBRANCH",
    "BRANCH_NAME",
)


def find_upstream(config: Any, head: str | None, branch: str | None) -> Upstream:
    """Return where *head* (the checked-out branch, None: detached) is pushed; *branch* overrules; `GitError` ``no-branch``."""
    remote = _text(config, ("branch", head), "pushRemote") or _text(config, ("branch", head), "remote") if head else None
    merge = _text(config, ("branch", head), "merge") if head else None
    target = branch or (merge or "").removeprefix("refs/heads/")
    if not target:
        if head is None:
            raise fault("no-branch", "HEAD is detached", hint="name the branch to push to by --branch")
        hint = "name the branch to push to by --branch, or give it an upstream"
        raise fault("no-branch", f"the branch {head} has no upstream", hint=hint)
    name = remote or "origin"
    url = _text(config, ("remote", name), "pushurl") or _text(config, ("remote", name), "url")
    if not url or name == ".":
        raise fault("no-branch", f"the remote {name} has no URL", hint="add a remote, or name one for the branch")
    return Upstream(remote=name, url=_rewritten(config, url), branch=target)


def ci_branch(environment: Mapping[str, str]) -> str | None:
    """Return which branch a CI job builds, as its service tells; None where none does, or where it builds a tag or a merge.

    CI services check out a commit with HEAD detached, and name the branch in a variable.
    """
    if environment.get("GITHUB_REF_TYPE", "branch") != "branch" or environment.get("GITHUB_HEAD_REF"):
        return None
    return next((branch for name in CI_BRANCHES if (branch := environment.get(name, "").removeprefix("refs/heads/"))), None)


def find_access(config: Any, url: str, environment: Mapping[str, str]) -> GitAccess:
    """Collect what the configuration gives for *url*: headers, CA, proxy, verification, SSH command; and the environment's token.

    Of GIT_SSH_COMMAND, else of core.sshCommand, the key and known_hosts count; see `updater.git.ssh_command`.
    UPDATER_GIT_USERNAME and UPDATER_GIT_PASSWORD win over an ``Authorization`` header of the configuration, and that over netrc.
    """
    access = GitAccess(use_agent=True)
    if parse_address(url).scheme == "ssh":
        access = follow_ssh_command(access, _text(config, ("core",), "sshCommand"), environment)
    for key, value in _http_settings(config, url):
        access = _applied(access, key, value)
    password = environment.get(PASSWORD, "")
    if password:
        kept = tuple(row for row in access.headers if row[0].lower() != "authorization")
        shown = Credential(username=environment.get(USERNAME, ""), password=password)
        return replace(access, credential=shown, headers=kept)
    is_shown = any(name.lower() == "authorization" for name, _ in access.headers)
    login = None if is_shown else netrc_login(url, environment)
    return replace(access, credential=login[0], origin=login[1]) if login else access


def find_identities(config: Any, environment: Mapping[str, str], fallback: Identity) -> tuple[Identity, Identity]:
    """Name author and committer as Git does (git-commit, "Commit information"); what nobody said is taken from *fallback*.

    For each: GIT_AUTHOR_NAME, else `author.name`, else `user.name`, and so on. A committer of whom nothing is said is the author.
    """
    author = _identity(config, environment, "author", fallback)
    return author, _identity(config, environment, "committer", author)


def _identity(config: Any, environment: Mapping[str, str], role: str, fallback: Identity) -> Identity:
    def said(what: str) -> str:
        given = environment.get(f"GIT_{role.upper()}_{what.upper()}", "").strip()
        return given or (_text(config, (role,), what) or _text(config, ("user",), what) or "").strip()

    name, email = said("name"), said("email") or environment.get("EMAIL", "").strip()
    return Identity(name=_readable(name) or fallback.name, email=_readable(email) or fallback.email)


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _applied(access: GitAccess, key: str, value: str) -> GitAccess:
    if key == "extraheader":
        match = _HEADER.fullmatch(value)
        return replace(access, headers=(*access.headers, (match[1], match[2]))) if match else replace(access, headers=())
    if key == "sslcainfo":
        return replace(access, ca=Path(value).expanduser())
    if key == "proxy":
        return replace(access, proxy=value or None)
    if key == "sslverify":
        return replace(access, insecure_skip_verify=value.lower() in {"false", "no", "off", "0"})
    return access


def _http_settings(config: Any, url: str) -> Iterator[tuple[str, str]]:
    """Return the settings of `[http]` and then of every `[http "prefix"]` that fits *url*, the longest last."""
    sections = [section for source in reversed(config.backends) for section in source.sections()]
    fitting = [name for name in dict.fromkeys(sections) if name[0].lower() == b"http" and _fits(name, url)]
    for section in sorted(fitting, key=lambda name: len(name[-1]) if len(name) > 1 else 0):
        for source in reversed(config.backends):
            if source.has_section(section):
                yield from ((key.decode().lower(), value.decode("utf-8", "replace")) for key, value in source.items(section))


def _fits(section: tuple[bytes, ...], url: str) -> bool:
    if len(section) == 1:
        return True
    prefix, asked = urlsplit(section[1].decode("utf-8", "replace")), urlsplit(url)
    if (prefix.scheme, prefix.hostname, prefix.port) != (asked.scheme, asked.hostname, asked.port):
        return False
    folder = prefix.path.rstrip("/")
    return asked.path == folder or asked.path.startswith(folder + "/")


def _rewritten(config: Any, url: str) -> str:
    """Apply `url.<base>.pushInsteadOf`, else `url.<base>.insteadOf`, the longest match."""
    for key in (b"pushInsteadOf", b"insteadOf"):
        rules: list[tuple[str, str]] = [
            (value.decode("utf-8", "replace"), section[1].decode("utf-8", "replace"))
            for source in config.backends
            for section in source.sections()
            if section[0].lower() == b"url" and len(section) > 1
            for value in source.get_multivar(section, key)
        ]
        fitting = [rule for rule in rules if url.startswith(rule[0])]
        if fitting:
            old, new = max(fitting, key=lambda rule: len(rule[0]))
            return new + url[len(old) :]
    return url


def _text(config: Any, section: tuple[str, ...], key: str) -> str | None:
    try:
        value = config.get(tuple(part.encode() for part in section), key.encode())
    except KeyError:
        return None
    return bytes(value).decode("utf-8", "surrogateescape")
