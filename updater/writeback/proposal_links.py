"""Links to the sources of an image, from the labels that its builder gave it.

Labels are the words of strangers: only an https URL of plain letters is a link, and only what looks like a revision is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE: Final = "org.opencontainers.image.source"
REVISION: Final = "org.opencontainers.image.revision"
_LONGEST_URL: Final = 200
#: no character that Markdown, HTML or a shell reads in another way
_URL: Final = re.compile(
    r"https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?(?:/[A-Za-z0-9][A-Za-z0-9._~-]*){2,8}/?", re.IGNORECASE
)
_REVISION: Final = re.compile(r"[0-9a-f]{7,64}")
#: such a page is a conversation: a forge writes into it that we named it
_CONVERSATIONS: Final = frozenset({"issues", "pull", "pulls", "merge_requests", "discussions", "pull-requests", "pullrequest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLinks:
    """Where the source of a new image stands, and what changed since the old one; "" where the labels do not tell."""

    commit: str = ""
    compare: str = ""

    def __str__(self) -> str:
        """Return the links in Markdown, "" where there are none."""
        named = (("source", self.commit), ("changes since the old image", self.compare))
        return ", ".join(f"[{words}]({url})" for words, url in named if url)


def source_links(old: Mapping[str, str], new: Mapping[str, str]) -> SourceLinks:
    """Return the links that the labels of the *old* and the *new* image tell."""
    source, before = _source(new), _source(old)
    if not source:
        return SourceLinks()
    revision, past = (_revision(labels) for labels in (new, old))
    if not revision:
        return SourceLinks(commit=source)
    is_comparable = bool(past) and past != revision and before == source
    return SourceLinks(
        commit=f"{source}{_commit_path(source)}{revision}",
        compare=f"{source}{_compare_path(source, past, revision)}" if is_comparable else "",
    )


def _source(labels: Mapping[str, str]) -> str:
    url = labels.get(SOURCE, "")
    if len(url) > _LONGEST_URL or not _URL.fullmatch(url):
        return ""
    segments = urlsplit(url).path.lower().split("/")
    if _CONVERSATIONS.intersection(segments) or ".." in segments:
        return ""
    return url.rstrip("/").removesuffix(".git")


def _revision(labels: Mapping[str, str]) -> str:
    text = labels.get(REVISION, "").lower()
    return text if _REVISION.fullmatch(text) else ""


def _is_gitlab(source: str) -> bool:
    return "gitlab" in (urlsplit(source).hostname or "")


def _is_bitbucket(source: str) -> bool:
    return urlsplit(source).hostname == "bitbucket.org"


def _commit_path(source: str) -> str:
    return "/-/commit/" if _is_gitlab(source) else "/commits/" if _is_bitbucket(source) else "/commit/"


def _compare_path(source: str, old: str, new: str) -> str:
    if _is_bitbucket(source):
        return f"/branches/compare/{new}..{old}"
    return f"{'/-' if _is_gitlab(source) else ''}/compare/{old}...{new}"
