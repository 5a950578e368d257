"""Read a tag list to its end, also from registries that deviate from the specification.

Pure: `walking` is a generator that yields URLs, takes answers, and returns a `TagList`. Every URL has the
scheme, host and path of the first one: of a Link only the query is used, so no cursor leads elsewhere, and
the links of registries that forget a part of their own path (Artifactory, Nexus) or name another host lead on. Source: OCI
distribution specification, "Content Discovery"; the guards are named where they stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from updater.errors import ImageSyntaxError, RegistryProtocolError
from updater.http.masking import holds
from updater.model.image import Digest, is_tag, parse_digest
from updater.registry.manifest import decode_object
from updater.registry.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from updater.http.exchange import Response

PAGE_SIZE: Final = 1000  # the most that ECR takes
ACCEPT: Final = "application/json, */*;q=0.5"  # some registries send a list as text/plain, others know JSON alone
_SMALLEST_PAGE: Final = 50
_LONGEST_ENTRY: Final = 128 + len('"",')
_LINK: Final = re.compile(r"<([^<>]*)>([^<]*)")
_NEXT: Final = re.compile(r';\s*rel\s*=\s*+"?(?:[^";,]*\s)?next(?=["\s;,]|$)', re.IGNORECASE)
_ALL_TAGS: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?:\n[A-Za-z0-9_][A-Za-z0-9._-]{0,127})*")
_N_REFUSED: Final = frozenset({400, 405})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingLimits:
    """The limits of a tag list: pages, tags, and decoded bytes of one page and of all pages."""

    pages: int = 2_000
    tags: int = 250_000
    page_bytes: int = 16 * 1024 * 1024
    total_bytes: int = 64 * 1024 * 1024

    @classmethod
    def for_tags(cls, tags: int, *, page_bytes: int | None = None) -> ListingLimits:
        """Return caps that let *tags* tags of any length pass, in pages of any size that registries have."""
        usual = cls()
        return cls(
            tags=tags,
            page_bytes=page_bytes or usual.page_bytes,
            pages=max(usual.pages, tags // _SMALLEST_PAGE),
            total_bytes=max(usual.total_bytes, tags * _LONGEST_ENTRY),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TagList:
    """The tags of one image, in the registry's order, each once.

    *digests* and *pushed* hold what a registry tells unasked (Google's does): digests and push times by tag.
    """

    tags: tuple[str, ...]
    digests: Mapping[str, Digest] = field(default_factory=dict)
    pushed: Mapping[str, datetime] = field(default_factory=dict)


def walking(base: str, *, what: str, caps: ListingLimits) -> Generator[str, Response, TagList]:
    """Yield the URLs of the pages at *base* (``…/tags/list``), and return the tags; raise `RegistryError`.

    A cursor that names a deleted tag may give 404 in the middle (zot): the walk starts again, once.
    """
    for _ in range(2):
        try:
            return (yield from _walk(base, what, caps))
        except _CursorLost:
            continue
    raise _endless(what, "tags vanish while it is read")


class _CursorLost(Exception):  # noqa: N818 - never leaves this module
    """The page after a page is gone."""


class _Harvest:
    """What the pages so far gave."""

    def __init__(self, what: str, caps: ListingLimits) -> None:
        self.tags: dict[str, None] = {}
        self._digests: dict[str, Digest] = {}
        self._pushed: dict[str, datetime] = {}
        self._what = what
        self._caps = caps
        self._pages = 0
        self._bytes = 0

    def add(self, answer: Response) -> tuple[int, bool]:
        """Take a page; give how many tags it listed, and whether one of them was new."""
        self._pages += 1
        self._bytes += len(answer.body)
        page = decode_object(answer.body, what=self._what, media_type=answer.header("Content-Type") or "", secrets=answer.secrets)
        listed = page.get("tags")
        if listed is not None and not isinstance(listed, list):
            raise _endless(self._what, "its tags are no list")
        before = len(self.tags)
        news = dict.fromkeys(_valid(listed or []))
        if holds("\n".join(news), answer.secrets):  # a tag may be written to Git, and is remembered
            news = {tag: None for tag in news if not holds(tag, answer.secrets)}
        if self.tags:
            self.tags.update(news)
        else:
            self.tags = news  # nearly every list is one page
        self._note_manifests(page.get("manifest"))
        if self._pages >= self._caps.pages or len(self.tags) > self._caps.tags or self._bytes > self._caps.total_bytes:
            hint = f"for more than {self._caps.tags} tags, raise registry_limits.tags; the policy digest needs no list"
            reached = f"{len(self.tags)} tags on {self._pages} pages of {self._bytes} bytes in all, and it goes on"
            raise _endless(self._what, reached, hint=hint)
        return len(listed or ()), len(self.tags) > before

    def _note_manifests(self, manifests: Any) -> None:
        """Read Google's addition: ``manifest`` maps each digest to its tags and upload time in milliseconds."""
        for text, about in manifests.items() if isinstance(manifests, dict) else ():
            tags = about.get("tag") if isinstance(about, dict) else None
            if not isinstance(tags, list) or not tags:
                continue
            digest, pushed = _digest_or_none(text), _time_of_milliseconds(about.get("timeUploadedMs"))
            for tag in tags:
                if isinstance(tag, str) and tag in self.tags:
                    self._digests.update({tag: digest} if digest else {})
                    self._pushed.update({tag: pushed} if pushed else {})

    def result(self) -> TagList:
        """Return the list."""
        return TagList(tags=tuple(self.tags), digests=self._digests, pushed=self._pushed)


def _walk(base: str, what: str, caps: ListingLimits) -> Generator[str, Response, TagList]:
    url = f"{base}?n={PAGE_SIZE}"
    answer = yield url
    if answer.status in _N_REFUSED:  # a smaller maximum than ours: take the registry's own page size
        url = base
        answer = yield url
    harvest = _Harvest(what, caps)
    visited = {url}
    is_probe = False
    while True:
        if answer.status != 200:
            if is_probe:
                return harvest.result()
            raise _CursorLost if answer.status == 404 and harvest.tags else refusal(answer, what)
        count, has_news = harvest.add(answer)
        link = next_link(answer.headers("Link"))
        is_probe = link is None and count == PAGE_SIZE and has_news
        if link is not None and count:
            url = _url_of(base, link, what)
            if url in visited or not has_news:
                raise _endless(what, "its pages repeat")
        elif is_probe:
            # A full page without a Link is no promise of the end: some servers page and never say so.
            url = f"{base}?n={PAGE_SIZE}&last={quote(next(reversed(harvest.tags)), safe='')}"
        else:
            return harvest.result()
        visited.add(url)
        answer = yield url


def next_link(lines: tuple[str, ...]) -> str | None:
    """Return the target of ``rel=next`` (RFC 8288): among several links, quoted or not; None for an empty one."""
    for line in lines:
        for target, parameters in _LINK.findall(line):
            if _NEXT.search(parameters):
                return str(target).strip() or None
    return None


def _valid(listed: list[Any]) -> list[str]:
    """Return those that are tags. Nearly always all are, which one pass of a regex over the whole tells."""
    try:
        joined = "\n".join(listed)
    except TypeError:
        joined = ""
    if joined.count("\n") == len(listed) - 1 and _ALL_TAGS.fullmatch(joined):
        return listed
    return [tag for tag in listed if isinstance(tag, str) and is_tag(tag)]


def _url_of(base: str, link: str, what: str) -> str:
    """Return the URL of the next page: our own base with the link's query, whatever host the link names.

    A mirror may hand on the link of the registry behind it; the cursor in it is meant for who sent it, and goes nowhere else.
    """
    try:
        query = urlsplit(urljoin(base, link)).query
    except ValueError:
        raise _endless(what, "the link to its next page is not a URL") from None
    return urlunsplit(urlsplit(base)._replace(query=query))


def _endless(what: str, reason: str, *, hint: str = "") -> RegistryProtocolError:
    usual = "a list that is cut short could hide the newest tag, so none of it is used; check the registry and its proxy"
    return RegistryProtocolError(
        f"{what}: the tag list cannot be read to its end: {reason}",
        hint=hint or usual,
        code="registry-pagination",
    )


def _digest_or_none(text: Any) -> Digest | None:
    try:
        return parse_digest(text) if isinstance(text, str) else None
    except ImageSyntaxError:
        return None


def _time_of_milliseconds(value: Any) -> datetime | None:
    try:
        moment = datetime.fromtimestamp(int(value) / 1000, tz=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return moment if moment.year >= 1990 else None
