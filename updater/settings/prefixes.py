"""Find the entry for a Git URL: the one with the longest prefix, cut only at a boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class Prefixed(Protocol):
    """An entry that holds for the URLs below its prefix."""

    @property
    def prefix(self) -> str:
        """The beginning of a URL."""
        ...


_Entry = TypeVar("_Entry", bound=Prefixed)


def longest_prefix(repositories: Iterable[_Entry], url: str) -> _Entry | None:
    """Return the entry with the longest prefix of *url*.

    ``https://host/team`` holds for ``/team/x`` and ``/team.git``, not for ``/teammate``; ``https://host`` not for
    ``https://host:8443``, because credentials would reach another server. A user name in *url* does not count.
    """
    fitting = [entry for entry in repositories if _is_below(_comparable(entry.prefix), _comparable(url))]
    return max(fitting, key=lambda entry: len(entry.prefix), default=None)


def _comparable(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.rpartition('@')[2].lower()}{slash}{path}"


def _is_below(prefix: str, url: str) -> bool:
    if not url.startswith(prefix):
        return False
    rest = url[len(prefix) :]
    is_host_of_scp = "://" not in url and rest.startswith(":")
    return prefix.endswith(("/", ":")) or rest in {"", ".git"} or rest.startswith(("/", ".git/")) or is_host_of_scp
