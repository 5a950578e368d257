"""What a destination is read at where that is no branch, and how the fields that may name it come to one thing.

Source: ``ref`` of Flux's GitRepository and ``git.checkout.ref`` of ImageUpdateAutomation, in the order in which its code reads
them: commit, name, tag, semver, branch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from updater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: the branch of a reference that names nothing
DEFAULT_BRANCH: Final = "master"
HEADS: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
_COMMIT: Final = re.compile("[0-9a-f]{40}")
_NAME: Final = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")


class RefKind(StrEnum):
    """What a `CheckoutRef` names: one commit, the full name of a ref, a tag, or a range of versions among the tags."""

    COMMIT = "commit"
    NAME = "name"
    TAG = "tag"
    SEMVER = "semver"


@dataclass(frozen=True, slots=True)
class CheckoutRef:
    """What is read in place of a branch; nothing is ever written there."""

    kind: RefKind
    value: str

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


def read_checkout_ref(given: Mapping[str, str]) -> tuple[str, CheckoutRef | None]:
    """Return the branch that *given* (``commit``, ``name``, ``tag``, ``semver``, ``branch``) names, or "" and another ref.

    A ref name below refs/heads is that branch. Raises `ConfigError` for a commit or name that Git does not have.
    """
    if commit := given.get("commit"):
        if not _COMMIT.fullmatch(commit):
            hint = "write all 40 digits of the SHA-1, in lower case"
            raise ConfigError(f"ref.commit: {commit!r} is not the name of a commit", hint=hint, code="checkout-ref")
        return "", CheckoutRef(RefKind.COMMIT, commit)
    if name := given.get("name"):
        if not _NAME.fullmatch(name):
            hint = "write the full name of a ref, such as refs/heads/main or refs/pull/1/head"
            raise ConfigError(f"ref.name: {name!r} is not the name of a ref", hint=hint, code="checkout-ref")
        if name.startswith(HEADS):
            return name.removeprefix(HEADS), None
        if name.startswith(TAGS):
            return "", CheckoutRef(RefKind.TAG, name.removeprefix(TAGS))
        return "", CheckoutRef(RefKind.NAME, name)
    for kind in (RefKind.TAG, RefKind.SEMVER):
        if value := given.get(kind):
            return "", CheckoutRef(kind, value)
    return given.get("branch") or DEFAULT_BRANCH, None
