"""How a change reaches a Git branch: straight, by another branch that is made anew each time, or by a proposal."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from updater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REF: Final = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\]+")
_LONGEST_REFSPEC: Final = 600
_NOT_IN_A_BRANCH: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\s]+|\.\.+|@\{")
MAX_BRANCH: Final = 255
_LONGEST_SLUG: Final = 100
_NO_SLUG: Final = re.compile(r"[^A-Za-z0-9._-]+|\.\.+")
_REFSPEC_HINT: Final = "write source:target with the push branch as the source, such as refs/heads/updates:refs/heads/main"


@dataclass(frozen=True, slots=True)
class Direct:
    """Straight to the branch that is read.

    *also* is the full name of a second ref that gets the same commit by a push of its own, "" for none; *options* are the push
    options that the server is sent with each push, ``key`` or ``key=value``.
    """

    also: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PushBranch:
    """To another branch, made anew at each landing from the one that is read; *also* and *options* as of `Direct`."""

    name: str
    also: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PushTemplate:
    """To another branch, whose name *template* makes once the updates are known.

    *stand_in* is its name until then: one of its own that holds for this origin alone, so that what does not know the template
    never writes to the base.
    """

    template: str
    stand_in: str = ""


class ProposalScope(StrEnum):
    """What has a pull request of its own: a subscription, a group of subscriptions, or everything that reads one branch."""

    SUBSCRIPTION = "subscription"
    GROUP = "group"
    DESTINATION = "destination"


class AutoMerge(StrEnum):
    """How large a step of a version may be for its pull request to be merged without people: none, or up to this one."""

    NEVER = "never"
    PATCH = "patch"
    MINOR = "minor"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalOptions:
    """How a pull request is opened and merged.

    *title* is a template, "" for the subject of the commit, *body* one for a text above the table of changes. *labels*,
    *reviewers*, *assignees* and *is_draft* are set once, when it is opened. *limit* is how many of ours may be open at one time
    from the same repository to the same base, 0 for any number.
    *forge* is the kind of forge that an object names, "" for that of the settings or the host.
    """

    title: str = ""
    body: str = ""
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    is_draft: bool = False
    auto_merge: AutoMerge = AutoMerge.NEVER
    limit: int = 0
    forge: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """By a pull request from the branch *name*, which is made anew at each landing from the one that is read.

    *part* says whose it is, such as ``subscription shop``; "" where it is everybody's who reads the branch.
    """

    name: str
    options: ProposalOptions = ProposalOptions()
    part: str = ""


Publishing = Direct | PushBranch | PushTemplate | Proposal

DIRECT = Direct()


def proposal_branch(base: str, part: str = "") -> str:
    """Return the name of the branch from which changes of *base* are proposed; *part* is the key or group whose they are."""
    return "/".join(["updater", _slug(base) or "base", *([_slug(part) or "part"] if part else [])])


def _slug(text: str) -> str:
    slug = _NO_SLUG.sub("-", text).strip("-.").removesuffix(".lock")
    if len(slug) <= _LONGEST_SLUG:
        return slug
    return f"{slug[:_LONGEST_SLUG]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def as_branch(text: str) -> str:
    """Return *text* as a name of a branch by the rules of ``git check-ref-format``, at most 255 bytes; "" if nothing remains."""
    cut = _without_wrong_parts(text).encode()[:MAX_BRANCH].decode(errors="ignore")
    return _without_wrong_parts(cut)


def _without_wrong_parts(text: str) -> str:
    parts = _NOT_IN_A_BRANCH.sub("-", text).lstrip("-").split("/")
    kept = "/".join(part for part in (_without_ends(part) for part in parts) if part)
    return kept.lstrip("-/")


def _without_ends(part: str) -> str:
    """Drop what may not begin or end a part of a name: dots, and ``.lock`` at the end."""
    end = len(part)
    while part.endswith((".", ".lock"), 0, end):
        end -= 1 if part[end - 1] == "." else len(".lock")
    return part[:end].lstrip(".")


def read_refspec(text: str, branch: str) -> str:
    """Return the full name of the ref that the refspec *text* brings the push branch *branch* to.

    A leading ``+`` changes nothing: what is overwritten is never up to the refspec. Raises `ConfigError` ``push-refspec``.
    """
    if len(text) > _LONGEST_REFSPEC:
        message = f"a refspec has at most {_LONGEST_REFSPEC} characters, and this has {len(text)}"
        raise ConfigError(message, hint=_REFSPEC_HINT, code="push-refspec")
    source, colon, target = text.removeprefix("+").partition(":")
    if not (source and colon and target) or not _REF.fullmatch(target) or not _REF.fullmatch(source):
        raise ConfigError(f"{text!r} is not a refspec", hint=_REFSPEC_HINT, code="push-refspec")
    if source not in {"HEAD", branch, f"refs/heads/{branch}"}:
        message = f"the refspec {text!r} names {source!r} as its source, and the commits are pushed to {branch!r}"
        raise ConfigError(message, hint=_REFSPEC_HINT, code="push-refspec")
    return target if target.startswith("refs/") else f"refs/heads/{target}"


def read_push_options(given: Mapping[str, str]) -> tuple[str, ...]:
    """Return push options as they are sent, ``key=value`` or, without a value, ``key``; raise `ConfigError` ``push-options``."""
    options = tuple(f"{key}={value}" if value else key for key, value in sorted(given.items()))
    if bad := next((option for option in options if not option or not option.isprintable()), None):
        hint = "a push option is one line of text"
        raise ConfigError(f"the push option {bad!r} cannot be sent", hint=hint, code="push-options")
    return options


def second_ref(publishing: Publishing) -> str:
    """Return the full name of the ref that gets each commit by a second push, "" for none."""
    return publishing.also if isinstance(publishing, Direct | PushBranch) else ""


def push_options(publishing: Publishing) -> tuple[str, ...]:
    """Return the push options that the server is sent with each push."""
    return publishing.options if isinstance(publishing, Direct | PushBranch) else ()


def pushed_as(publishing: Publishing, branch: str) -> str:
    """Return the name of the branch that is written where *branch* is read; "" where nobody knows it yet."""
    match publishing:
        case Direct():
            return branch
        case PushBranch(name):
            return name
        case PushTemplate(_, stand_in):
            return stand_in
        case Proposal(name):
            return name
