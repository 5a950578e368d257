"""Where an automation commits: which ref it reads and which branch it pushes.

Source: ``ref`` of GitRepository, and ``git.checkout`` and ``git.push`` of ImageUpdateAutomation. Without a push branch the branch
of the ref is pushed; a ref without a branch then has none. ``refs/heads/main`` is the branch main, however it is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from updater.errors import ConfigError
from updater.flux.request.reading import NOT_YET_HINT
from updater.model.publishing import DIRECT, PushBranch
from updater.model.subscription import CredentialRef, GitBranch
from updater.settings.fields import NOT_YET
from updater.settings.values import read_git_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.flux.request.requests import GitRepositoryRequest

#: the branch of a reference that names nothing
DEFAULT_BRANCH: Final = "master"
_HEADS: Final = "refs/heads/"
_URL: Final = re.compile(r"(?:https?|ssh)://.+")
_NO_PUSH: Final = "push spec not provided, and cannot be inferred from .spec.git.checkout.ref or GitRepository .spec.ref"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRequest:
    """What ``git.push`` asks for; everything may be left out."""

    branch: str = ""
    refspec: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def destination_for(repository: GitRepositoryRequest, reference: Mapping[str, str], push: PushRequest) -> GitBranch:
    """Return where an automation commits that reads *reference* of a GitRepository; raise `ConfigError`."""
    name = push.branch or reference.get("branch", "")
    if not name:
        hint = "write git.push.branch, or git.checkout.ref.branch"
        raise ConfigError(_NO_PUSH, hint=hint, code="missing-key")
    if not _URL.fullmatch(repository.url):
        hint = "write https://host/path or ssh://git@host/path"
        raise ConfigError("the URL of the GitRepository is not one of http, https or ssh", hint=hint, code="git-url")
    branch = _branch(reference)
    if push.refspec or push.options:
        raise ConfigError("a refspec and push options are not sent in this version", hint=NOT_YET_HINT, code=NOT_YET)
    namespace, own = repository.key
    return GitBranch(
        url=read_git_url(repository.url),
        branch=branch,
        publishing=DIRECT if name == branch else PushBranch(name),
        credential=CredentialRef(kind="gitrepository", value=f"{namespace}/{own}"),
    )


def _branch(reference: Mapping[str, str]) -> str:
    """Return the branch that is read; raise `ConfigError` where the ref is none: of several fields the first one counts."""
    if "commit" not in reference and reference.get("name", "").startswith(_HEADS):
        return reference["name"].removeprefix(_HEADS)
    for kind in ("commit", "name", "tag", "semver"):
        if kind in reference:
            message = f"ref.{kind} is not read in this version: {reference[kind]}"
            raise ConfigError(message, hint="write ref.branch, or wait for the version that has it", code=NOT_YET)
    return reference.get("branch", DEFAULT_BRANCH)
