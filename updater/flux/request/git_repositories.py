"""What a GitRepository says of where an automation writes: its URL, its ref, and how it is reached.

Source: https://fluxcd.io/flux/components/source/gitrepositories/. Whether it is suspended means nothing to an automation, and
neither do its ignore, include, verify and submodules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.documents.members import mapping_in
from updater.flux.request.durations import read_duration
from updater.flux.request.reading import text_in
from updater.flux.request.requests import GitRepositoryRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.flux.request.reading import FluxObject

TIMEOUT: Final = 60.0
_SHORTEST: Final = 1.0
REFERENCES: Final = ("commit", "name", "tag", "semver", "branch")


def read_git_repository(item: FluxObject) -> GitRepositoryRequest:
    """Read a GitRepository; nothing that stands in it makes this raise."""
    timeout = read_duration(item.spec.get("timeout"))
    return GitRepositoryRequest(
        key=item.key,
        url=text_in(item.spec, "url"),
        reference=read_reference(mapping_in(item.spec, "ref")),
        timeout=TIMEOUT if timeout is None else max(timeout, _SHORTEST),
        provider=text_in(item.spec, "provider") or "generic",
        secret=item.name_in("secretRef") or "",
        proxy_secret=item.name_in("proxySecretRef") or "",
        service_account=text_in(item.spec, "serviceAccountName"),
        is_suspended=item.is_suspended,
    )


def read_reference(reference: Mapping[str, object]) -> dict[str, str]:
    """Return those of the fields of a ref that say something."""
    return {name: found for name in REFERENCES if (found := text_in(reference, name))}
