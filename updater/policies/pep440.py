"""The policy `pep440`: the highest Python version in a set of specifiers.

Rules: https://packaging.python.org/en/latest/specifications/version-specifiers/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from updater.errors import PolicyError
from updater.model.candidate import Rank
from updater.model.selection import Code
from updater.policies.base import NotRanked, Policy, check_options, flag_option, text_option
from updater.policies.shape import names_a_year

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.candidate import Candidate

OPTIONS: Final = {"range": "specifiers such as >=1.2,<2", "prerelease": "true or false"}
_MAX_LENGTH: Final = 256


@dataclass(frozen=True)
class Pep440Policy(Policy):
    """Choose the highest version in *specifiers*; pre-releases and development releases only if named or requested."""

    is_by_name: ClassVar[bool] = True
    has_shapes: ClassVar[bool] = True

    specifiers: SpecifierSet
    prerelease: bool = False

    @property
    def reason(self) -> str:
        """The highest version, and of which specifiers."""
        return f"the highest version in the range {self._shown}"

    @property
    def _shown(self) -> str:
        return str(self.specifiers) or "of all versions"

    @property
    def names_years(self) -> bool:
        """Whether the range names a number that reads like a year."""
        return names_a_year(str(self.specifiers))

    def rank(self, text: str, candidate: Candidate) -> Rank | NotRanked:  # noqa: ARG002 - the name says all
        """Order by version, if the specifiers contain it."""
        version = _parse(text)
        if version is None:
            return NotRanked(Code.NOT_A_VERSION, f"{text} is not a Python version")
        allows_prereleases = self.prerelease or bool(self.specifiers.prereleases)
        if not self.specifiers.contains(version, prereleases=True):
            return NotRanked(Code.RANGE, f"{text} is outside the range {self._shown}")
        if version.is_prerelease and not allows_prereleases:
            return NotRanked(Code.PRERELEASE, f"{text} is a pre-release, and the range {self._shown} names none")
        return Rank(version)

    def written(self, text: str, candidate: Candidate) -> Rank | None:  # noqa: ARG002 - the signature of every policy
        """Order the written value, whether in the range or not."""
        version = _parse(text)
        return None if version is None else Rank(version)


def _parse(text: str) -> Version | None:
    if len(text) > _MAX_LENGTH:
        return None
    try:
        return Version(text)
    except InvalidVersion:
        return None


def build(options: Mapping[str, object]) -> Policy:
    """Build from ``range`` (all releases where left out) and ``prerelease``; raise `PolicyError`."""
    check_options("pep440", options, OPTIONS)
    text = text_option("pep440", options, "range")
    if text is not None and not text.strip():
        raise PolicyError("the range '' is not a set of specifiers", hint="leave the range out for every release")
    try:
        specifiers = SpecifierSet(text or "")
    except InvalidSpecifier as error:
        raise PolicyError(f"the range {text!r} is not a set of specifiers", hint="write >=1.2,<2 or ~=1.4 or ==1.*") from error
    return Pep440Policy(specifiers=specifiers, prerelease=flag_option("pep440", options, "prerelease"))
