"""Where an automation commits: which ref it reads and which branch it pushes.

Source: ``ref`` of GitRepository, and ``git.checkout`` and ``git.push`` of ImageUpdateAutomation. Without a push branch the branch
of the ref is pushed; a ref without a branch then has none. ``refs/heads/main`` is the branch main, however it is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from updater.errors import ConfigError
from updater.model.checkout_ref import read_checkout_ref
from updater.model.credential import GIT_REPOSITORY, object_credential
from updater.model.publishing import PushBranch, read_push_options, read_refspec
from updater.model.subscription import GitBranch
from updater.settings.values import read_git_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.flux.request.requests import GitRepositoryRequest

_URL: Final = re.compile(r"(?:https?|ssh)://.+")
_LONGEST_URL: Final = 2048
_LONGEST_NAME: Final = 244  # Git keeps a ref as a file, and locks it by another one
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
        hint = "write a URL that begins with https:// or ssh://"
        raise ConfigError("the URL of the GitRepository is not one of http, https or ssh", hint=hint, code="git-url")
    check_text("the URL of the GitRepository", repository.url, longest=_LONGEST_URL, code="git-url")
    names = {"the push branch": name, **{f"ref.{part}": value for part, value in reference.items()}}
    for what, text in names.items():
        check_text(what, text, longest=_LONGEST_NAME, code="branch-name")
    branch, ref = read_checkout_ref(reference)
    also = read_refspec(push.refspec, name) if push.refspec else ""
    return GitBranch(
        url=read_git_url(without_login(repository.url)),
        branch=branch,
        publishing=PushBranch(name, also, read_push_options(push.options)),
        credential=object_credential(GIT_REPOSITORY, *repository.key),
        ref=ref,
    )


def without_login(url: str) -> str:
    """Return an http or https URL without user name and password, which are shown to its server and to nobody else."""
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme.startswith("http"):
        return url
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def check_text(what: str, text: str, *, longest: int, code: str) -> None:
    """Raise `ConfigError` for a text that is too long for its purpose or has control characters: logs and metrics repeat it."""
    if len(text) > longest or not text.isprintable():
        flaw = f"has {len(text)} characters" if len(text) > longest else "has a line end or a control character"
        raise ConfigError(f"{what} {flaw}", hint=f"write one line of at most {longest} characters", code=code)
