"""The policy `semver`: the highest version in a range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from updater.model.candidate import Rank
from updater.model.selection import Code
from updater.policies.base import NotRanked, Policy, check_options, flag_option, text_option
from updater.policies.shape import names_a_year
from updater.policies.variants import natural, read_variant
from updater.policies.versions import Range, Version, is_prerelease, parse_range, parse_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.model.candidate import Candidate

OPTIONS: Final = {"range": "a range of versions", "prerelease": "true or false"}


@dataclass(frozen=True)
class SemverPolicy(Policy):
    """Choose the highest version in *range*; *prerelease* admits pre-releases to every range.

    With *is_natural*, or where pre-releases are asked for by *prerelease*, a suffix of counters and dates is ordered as people
    read it: to the letter ``-r9`` stands above ``-r10``, and ``2026-9-01`` above ``2026-12-25``.
    """

    is_by_name: ClassVar[bool] = True
    has_shapes: ClassVar[bool] = True

    range: Range
    prerelease: bool = False
    is_natural: bool = False

    @property
    def reason(self) -> str:
        """The highest version, and of which range."""
        return f"the highest version in the range {self.range.text}"

    @property
    def names_years(self) -> bool:
        """Whether the range names a number that reads like a year."""
        return names_a_year(self.range.text)

    def rank(self, text: str, candidate: Candidate) -> Rank | NotRanked:  # noqa: ARG002 - the name says all
        """Order by version, if the range admits it."""
        version = parse_version(text)
        if version is None:
            return NotRanked(Code.NOT_A_VERSION, f"{text} is not a version")
        if self.range.admits(version, prerelease=self.prerelease):
            return Rank(self._order(text, version))
        return self._lost(text, version)

    def orders(self, texts: Sequence[str], tags: Sequence[str], candidates: Mapping[str, Candidate]) -> list[Any | None]:  # noqa: ARG002 - the signature of every policy
        """Order many at once."""
        versions = self.range.select(texts, prerelease=self.prerelease)
        if not (self.prerelease or self.is_natural):
            return list(versions)
        order = self._order
        return [version and order(text, version) for text, version in zip(texts, versions, strict=True)]

    def written(self, text: str, candidate: Candidate) -> Rank | None:  # noqa: ARG002 - the signature of every policy
        """Order the written value, whether in the range or not."""
        version = parse_version(text)
        return None if version is None else Rank(self._order(text, version))

    def among_counters(self) -> Policy:
        """Return the policy that counts suffixes as people do, whatever opened the range to them."""
        return replace(self, is_natural=True)

    def _order(self, text: str, version: Version) -> Version:
        """Return the place of a version; words of a pre-release such as ``rc`` keep the order of semver."""
        is_letter = version[3] == 1 or not (self.prerelease or self.is_natural)
        if is_letter or not read_variant(text).is_counted:
            return version
        return (*version[:4], *natural(text.partition("-")[2]))

    def within_variant(self) -> Policy:
        """Return the policy that reads ``1.2.3-alpine`` as the release 1.2.3 of its variant."""
        return SemverVariantPolicy(range=self.range, prerelease=self.prerelease)

    def _lost(self, text: str, version: Version) -> NotRanked:
        if is_prerelease(version) and self.range.admits(version, prerelease=True):
            return NotRanked(Code.PRERELEASE, f"{text} is a pre-release, and the range {self.range.text} names none")
        return NotRanked(Code.RANGE, f"{text} is outside the range {self.range.text}")


@dataclass(frozen=True)
class SemverVariantPolicy(SemverPolicy):
    """`SemverPolicy` among tags of one variant, whose suffix is not a pre-release and is ordered naturally.

    By the letter ``1.2.3-alpine`` is a pre-release of 1.2.3, and no plain range admits it; and
    ``-debian-12-r9`` would stand above ``-debian-12-r10``.
    """

    def rank(self, text: str, candidate: Candidate) -> Rank | NotRanked:
        """Order by the numbers, then releases of the variant over its pre-releases, then by the suffix."""
        version = parse_version(text)
        rank = self.written(text, candidate)
        if version is None or rank is None:
            return NotRanked(Code.NOT_A_VERSION, f"{text} is not a version")
        if self.range.admits(version, prerelease=self.prerelease):
            return rank
        if not read_variant(text).is_release:
            return self._lost(text, version)
        release = (*version[:3], 1)
        return rank if self.range.admits(release) else self._lost(text, release)

    def orders(self, texts: Sequence[str], tags: Sequence[str], candidates: Mapping[str, Candidate]) -> list[Any | None]:
        """Order many, one by one."""
        return Policy.orders(self, texts, tags, candidates)

    def written(self, text: str, candidate: Candidate) -> Rank | None:  # noqa: ARG002 - the signature of every policy
        """Order the written value, whether in the range or not."""
        version = parse_version(text)
        if version is None:
            return None
        is_release = version[3] == 1 or read_variant(text).is_release
        return Rank((*version[:3], int(is_release), *natural(text.partition("-")[2])))


def build(options: Mapping[str, object]) -> Policy:
    """Build from ``range`` (all releases where left out) and ``prerelease``; raise `PolicyError`."""
    check_options("semver", options, OPTIONS)
    text = text_option("semver", options, "range")
    return SemverPolicy(range=parse_range("*" if text is None else text), prerelease=flag_option("semver", options, "prerelease"))
