"""What a checkout says about itself: where it is pushed, from which branch, and who commits there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from updater.checkout.config import find_identities, find_upstream
from updater.checkout.worktree import Checkout
from updater.errors import GitError
from updater.git.object_builder import Identity
from updater.model.subscription import shown_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from updater.checkout.config import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutFacts:
    """What was found; a text is "" where the checkout does not say it. A URL never holds a password.

    *prefix* is the folder that was asked for, from the *root* of the checkout.
    """

    root: Path
    prefix: str = "."
    url: str = ""
    branch: str = ""
    author: str = ""
    email: str = ""


def read_checkout(folder: Path, environment: Mapping[str, str]) -> CheckoutFacts:
    """Read the checkout that *folder* lies in; a folder outside any checkout says nothing."""
    try:
        checkout = Checkout(folder, environment)
    except GitError:
        return CheckoutFacts(root=folder)
    try:
        author, _ = find_identities(checkout.config, environment, Identity(name="", email=""))
        facts = CheckoutFacts(
            root=checkout.root,
            prefix=folder.resolve().relative_to(checkout.root.resolve()).as_posix(),
            branch=checkout.branch or "",
            author=author.name,
            email=author.email,
        )
        upstream = _upstream(checkout)
        if upstream is None:
            return facts
        is_safe = shown_url(upstream.url) == upstream.url
        return replace(facts, url=upstream.url if is_safe else "", branch=upstream.branch)
    finally:
        checkout.close()


def _upstream(checkout: Checkout) -> Upstream | None:
    """Return where the branch is pushed: its upstream, else the branch of the same name at the usual remote."""
    for branch in (None, checkout.branch or "main"):
        try:
            return find_upstream(checkout.config, checkout.branch, branch)
        except GitError:
            continue
    return None
