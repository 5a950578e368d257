"""Split a tag into its variant, such as ``-alpine``, and its version, pre-release or counter.

The rule, word by word behind the version that begins a tag (a tag that begins with none, such as
``latest`` or ``main-3f2c1aa-17``, has no variant and is never locked):

=================  ============================================  =======================================
word               examples                                      is
=================  ============================================  =======================================
pre-release        ``rc.1`` ``beta2`` ``alpha`` ``dev`` ``M5``   no part of the variant
final              ``Final`` ``GA`` ``RELEASE``                  no part of the variant
counter            ``-3`` ``r4`` ``build12`` ``ls45`` ``p1``     no part of the variant
date, commit       ``20240131`` ``g1abb7b5`` ``sha.abc``         no part of the variant
                   ``abcdefa`` ``1234567`` ``63-g12ab``
base system        ``alpine3.18`` ``debian-12`` ``ubi9``         variant; its version may change, but one
                                                                 that had none gets none
anything else      ``slim`` ``jdk17`` ``temurin-21`` ``cuda12.1``  variant, numbers included
=================  ============================================  =======================================

So 1.2.3-alpine3.18 may become 1.2.4-alpine3.19, and neither 1.2.4 nor 1.2.4-alpine; 1.3.0-rc.1 may
become 1.3.0; 3.9-jdk17 never becomes 3.9-jdk21.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_BEGIN: Final = re.compile(r"[vV]?+[0-9]++(?:(?:\.[0-9]++)++(?=[A-Za-z._+-]|\Z)|(?=[._+-]|\Z))")
_PLAIN: Final = re.compile(r"[vV]?+[0-9]++(?:\.[0-9]++)*+")
_PIECE: Final = re.compile(r"(?<![._+-])([._+-]*+)([^._+-]++)")
_WORD: Final = re.compile(r"([A-Za-z]++)([0-9]*+)")
# A hash is told by its form and place, not by the characters that it happens to have: one of 27 has digits only.
_COMMIT: Final = re.compile(r"(?:g|git|sha)?[0-9a-f]{7,64}+")
_DESCRIBED: Final = re.compile(r"g[0-9a-f]{4,64}+")  # behind the count of commits, as `git describe` puts it
_DATE: Final = re.compile(r"[0-9]{6,}+(?:[tT][0-9]{4,}+[zZ]?)?")
_NATURAL: Final = re.compile(r"[0-9]++|[^0-9]++")
_LONG_NUMBER: Final = 6
_MAX_DIGITS: Final = 64

_PRERELEASE_WORDS: Final = (
    "a alpha b beta c rc cr pre preview prerelease dev develop snapshot nightly canary next m milestone ea eap test unstable"
)
_COUNTER_WORDS: Final = "r rev revision build p patch post hotfix ls pl sp u update fix"
_SYSTEM_WORDS: Final = (
    "alpine debian deb ubuntu ubi rhel el centos rocky almalinux ol oraclelinux fedora fc photon amazonlinux al wolfi"
    " bci leap sles opensuse mariner azurelinux distroless busybox"
)
_PRERELEASES: Final = frozenset(_PRERELEASE_WORDS.split())
_COUNTERS: Final = frozenset(_COUNTER_WORDS.split())
_SYSTEMS: Final = frozenset(_SYSTEM_WORDS.split())
_FINALS: Final = frozenset({"final", "ga", "release", "stable"})
_COMMITS: Final = frozenset({"sha", "git", "commit", "g"})


@dataclass(frozen=True, slots=True)
class TagVariant:
    """The words of a tag that a locked variant keeps; *is_prerelease* says whether it names a pre-release.

    *is_counted* says whether its suffix is nothing but counters, dates and commits.
    """

    words: tuple[str, ...] = ()
    is_prerelease: bool = False
    is_counted: bool = False

    @property
    def is_release(self) -> bool:
        """Return whether the suffix is a variant and nothing in it makes the tag a pre-release."""
        return bool(self.words) and not self.is_prerelease


_NONE: Final = TagVariant()


def locked_words(written: str | None) -> tuple[str, ...] | None:
    """Return the words that a tag must have while *written* stands; None where nothing is locked."""
    if written is None or not _BEGIN.match(written):
        return None
    return read_variant(written).words


def read_variant(tag: str) -> TagVariant:
    """Find the variant of a tag; a tag that does not begin with a version has none."""
    if _PLAIN.fullmatch(tag):
        return _NONE
    return _read(tag)


@lru_cache(maxsize=4096)
def _read(tag: str) -> TagVariant:
    begin = _BEGIN.match(tag)
    if begin is None:
        return _NONE
    words: list[str] = []
    is_prerelease = False
    role = "counter"
    for joint, piece in _PIECE.findall(tag, begin.end()):
        role = _role(joint, piece, role, words[-1] if words else "")
        is_prerelease |= role == "prerelease"
        if role == "variant":
            words.append(piece.lower())
        elif role == "system":
            words.append(_system(piece))
        elif role == "system version" and not words[-1].endswith("#"):
            words[-1] += "#"
    has_suffix = begin.end() < len(tag)
    return TagVariant(tuple(words), is_prerelease, is_counted=has_suffix and not words and not is_prerelease)


def _role(joint: str, piece: str, before: str, last: str) -> str:
    """Return what one piece is, from its own letters and from what stands before it."""
    if before == "commit word":
        return "commit"
    if piece.isdigit():
        return _role_of_number(joint, piece, before, last)
    is_described = joint == "-" and before == "counter" and _DESCRIBED.fullmatch(piece)
    if _DATE.fullmatch(piece) or _COMMIT.fullmatch(piece) or is_described:
        return "commit"
    match = _WORD.fullmatch(piece)
    word, digits = (match[1].lower(), match[2]) if match else (piece, "")
    if word in _PRERELEASES:
        return "prerelease"
    if word in _FINALS:
        return "counter"
    if word in _COUNTERS and (digits or word not in {"p", "u", "r"}):
        return "counter"
    if word in _COMMITS and not digits:
        return "commit word"
    return "system" if word in _SYSTEMS else "variant"


def _role_of_number(joint: str, piece: str, before: str, last: str) -> str:
    if len(piece) >= _LONG_NUMBER and before != "prerelease":
        return "commit"  # or a date; no base system has a version that long
    if before in {"system", "system version"}:
        return "system version"
    if before == "variant":
        # cuda12.1 goes on with its own version, feature.15 counts builds
        return "counter" if joint == "." and not last[-1:].isdigit() else "variant"
    return "prerelease" if before == "prerelease" else "counter"


def _system(piece: str) -> str:
    match = _WORD.fullmatch(piece)
    return piece.lower() if match is None or not match[2] else f"{match[1].lower()}#"


def natural(text: str) -> tuple[tuple[int, int | str], ...]:
    """Order a text as people read it: its numbers as numbers, so r9 stands below r10."""
    return tuple(
        (0, int(piece)) if piece.isdecimal() and piece.isascii() and len(piece) <= _MAX_DIGITS else (1, piece)
        for piece in _NATURAL.findall(text)
    )
