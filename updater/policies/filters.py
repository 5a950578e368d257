"""Filter tags by name, and extract the part of a tag that a policy compares.

A tag passes if it is no signature or attestation, matches *allow* (unanchored), and matches nothing
of *ignore*. *extract* is a template over the match of *allow*: ``$1``, ``$name`` (the longest name),
``${name}``, ``$$``. Expressions of users run in google-re2, whose time is linear in the text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from updater.errors import PolicyError
from updater.model.selection import Code
from updater.model.subscription import TagFilter
from updater.policies.base import NotRanked, nearest, text_option
from updater.policies.globs import glob_expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REGEXP: Final = "regexp:"
LONGEST_EXPRESSION: Final = 8192
LONGEST_EXTRACT: Final = 512
#: what is extracted of a tag may repeat it as often as the template says
LONGEST_EXTRACTED: Final = 1024
_ARTIFACT: Final = re.compile(r"sha256-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?")
_REFERENCE: Final = re.compile(r"\$(?:(\$)|([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})")


_Template: TypeAlias = "tuple[str | tuple[str | int], ...]"
_EVERY: Final = TagFilter()
_KEYS: Final = {"allow": "", "ignore": "", "extract": ""}


class NameFilter:
    """A filter, built by `build_filter`.

    *unknown_group* is the group that *extract* names and *allow* does not have, else None: then no tag passes.
    """

    __slots__ = ("_allow", "_extract", "_ignore", "shown", "unknown_group")

    def __init__(self, shown: TagFilter = _EVERY) -> None:
        self.shown = shown
        self._allow = _expression(shown.allow, "allow") if shown.allow else None
        self._ignore = tuple((text, _ignored(text)) for text in shown.ignore)
        self._extract, self.unknown_group = _template(shown.extract, self._allow)

    @property
    def extracts(self) -> bool:
        """Return whether a policy is shown something else than the tag."""
        return self._extract is not None

    def texts(self, tags: Iterable[str]) -> tuple[list[str], list[str]]:
        """Return the tags that pass, in the given order, and what the policy is shown of each."""
        passing = [tag for tag in tags if not tag.startswith("sha256-") or not _ARTIFACT.fullmatch(tag)]
        if self._allow is None and not self._ignore:
            return passing, passing
        judged = [(tag, text) for tag in passing if isinstance(text := self.judge(tag), str)]
        return [tag for tag, _ in judged], [text for _, text in judged]

    def judge(self, tag: str) -> str | NotRanked:
        """Return what the policy is shown of one tag, or why the tag does not pass."""
        if _ARTIFACT.fullmatch(tag):
            return NotRanked(Code.ARTIFACT, f"{tag[:14]}… is a signature or attestation, not an image")
        match = None
        if self._allow is not None:
            match = _search(self._allow, tag)
            if match is None:
                return NotRanked(Code.ALLOW, f"{tag} does not match {self.shown.allow}")
        for text, pattern in self._ignore:
            if _search(pattern, tag):
                return NotRanked(Code.IGNORE, f"{tag} is ignored by {text}")
        return tag if self._extract is None else self._extracted(tag, match)

    def text_of_written(self, tag: str) -> str:
        """Return what a policy is shown of the written tag, which need not pass: the tag itself where nothing is extracted."""
        match = _search(self._allow, tag) if self._extract is not None else None
        text = self._extracted(tag, match) if match else tag
        return text if isinstance(text, str) else tag

    def _extracted(self, tag: str, match: Any) -> str | NotRanked:
        if self.unknown_group is not None:
            said = f"nothing can be extracted from {tag}: {self.shown.allow} has no group {self.unknown_group}"
            return NotRanked(Code.EXTRACT, said)
        parts = self._extract or ()
        text = "".join(part if isinstance(part, str) else (match.group(part[0]) or "") for part in parts)
        if len(text) > LONGEST_EXTRACTED:
            return NotRanked(Code.EXTRACT, f"what is extracted from {tag} has more than {LONGEST_EXTRACTED} characters")
        return text


@lru_cache(maxsize=4096)
def build_filter(tag_filter: TagFilter = _EVERY) -> NameFilter:
    """Build a filter; equal texts give the same object. Raise `PolicyError`."""
    return NameFilter(tag_filter)


@lru_cache(maxsize=4096)
def searches_any(expressions: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what says of a tag whether one of *expressions* finds something in it; raise `PolicyError`."""
    patterns = [_expression(text, "expression") for text in expressions]
    return lambda tag: any(_search(pattern, tag) for pattern in patterns)


def filter_from(value: object) -> TagFilter:
    """Read ``{"allow": …, "ignore": […], "extract": …}`` as configuration and batch lines give it; raise `PolicyError`."""
    if value is None:
        return _EVERY
    if not isinstance(value, dict):
        raise PolicyError("filter is not a map", hint='write {"allow": "regex", "ignore": ["glob"], "extract": "$1"}')
    for key in value:
        if key not in _KEYS:
            near = nearest(str(key), _KEYS)
            raise PolicyError(
                f"filter has no {str(key)!r}", hint=f"did you mean {near!r}?" if near else "it has allow, ignore and extract"
            )
    ignore = value.get("ignore")
    if ignore is not None and (not isinstance(ignore, list) or not all(isinstance(item, str) for item in ignore)):
        raise PolicyError("ignore of the filter is not a list of texts", hint='write ["*-debug", "regexp:^pr-"]')
    allow, extract = (text_option("filter", value, name) for name in ("allow", "extract"))
    return TagFilter(allow=allow, ignore=tuple(ignore or ()), extract=extract)


def _expression(text: str, where: str) -> Any:
    """Compile a user's expression."""
    import re2  # noqa: PLC0415 - 20 ms that only a filter pays for

    if where == "allow" and text.startswith(REGEXP):
        raise PolicyError(
            f"allow '{text}' begins with {REGEXP}", hint=f"allow is an expression already: write {text[len(REGEXP) :]}"
        )
    if len(text) > LONGEST_EXPRESSION:
        message = f"{where} '{text[:40]}'… is longer than {LONGEST_EXPRESSION} characters"
        raise PolicyError(message, hint="write what the tags have in common")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        raise PolicyError(
            f"{where} '{text}' is not a regular expression: {reason}",
            hint="the syntax is RE2: no look-ahead, no back-references; https://github.com/google/re2/wiki/Syntax",
        ) from error
    except UnicodeEncodeError as error:
        raise PolicyError(f"{where} {text!a} is not text", hint="it holds half of a character") from error


def _ignored(text: str) -> Any:
    if text.startswith(REGEXP):
        return _expression(text[len(REGEXP) :], "ignore")
    return _expression(glob_expression(text), "ignore")


def _search(pattern: Any, tag: str) -> Any:
    try:
        return pattern.search(tag)
    except UnicodeEncodeError:  # half of a character, which no registry serves and JSON can spell
        return None


def _template(text: str | None, allow: Any) -> tuple[_Template | None, str | None]:
    """Cut an extract template into texts and groups; also names the first group that *allow* does not have."""
    if not text:
        return None, None
    if len(text) > LONGEST_EXTRACT:
        message = f"extract '{text[:40]}'… is longer than {LONGEST_EXTRACT} characters"
        raise PolicyError(message, hint="write the groups that are compared")
    if allow is None:
        raise PolicyError(f"extract {text!r} has nothing to extract from", hint="give allow a regular expression with groups")
    parts: list[str | tuple[str | int]] = []
    unknown = None
    end = 0
    for match in _REFERENCE.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        if match[1]:
            parts.append("$")
            continue
        group = _group(match[2] or match[3], allow)
        if group is None:
            unknown = unknown or match[0]
        else:
            parts.append((group,))
    return (*parts, text[end:]), unknown


def _group(name: str, allow: Any) -> int | str | None:
    if name.isdigit() and (name == "0" or name[0] != "0"):
        return int(name) if len(name) < 4 and int(name) <= allow.groups else None
    return name if name in allow.groupindex else None
