"""Which ref of a server a `CheckoutRef` means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.errors import PolicyError
from updater.git.faults import fault
from updater.git.ref_names import COMMITS, named
from updater.model.checkout_ref import CheckoutRef, RefKind
from updater.policies.versions import parse_range, parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable


def ref_name(ref: CheckoutRef) -> str | None:
    """Return the name in a mirror of what *ref* means, None where that is one of the server's tags."""
    match ref.kind:
        case RefKind.COMMIT:
            return COMMITS + ref.value
        case RefKind.NAME:
            return named(ref.value)
        case RefKind.TAG:
            return named(f"refs/tags/{ref.value}")
        case RefKind.SEMVER:
            return None


def newest_tag(ref: CheckoutRef, tags: Iterable[str], *, place: str) -> str:
    """Return the name in a mirror of the newest of *tags* in the range of *ref*.

    As in Flux a version has all three numbers. Raises `GitError` ``ref-missing`` where none is in the range, and ``checkout-ref``
    for a range that cannot be read; *place* says where the tags are.
    """
    try:
        admitted = parse_range(ref.value)
    except PolicyError as error:
        raise fault("checkout-ref", f"{ref}: {error.message}", hint=error.hint) from error
    versions = [(version, tag) for tag in tags if tag.count(".") >= 2 and (version := parse_version(tag)) is not None]
    fitting = [(version, tag) for version, tag in versions if admitted.admits(version)]
    if not fitting:
        raise fault("ref-missing", f"{place} has no tag in the range {ref.value}")
    newest = max(version for version, _ in fitting)
    return named(f"refs/tags/{min(tag for version, tag in fitting if version == newest)}")
