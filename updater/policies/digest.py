"""The policy `digest`: follow one mutable tag by its digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from updater.errors import PolicyError
from updater.model.candidate import Fact, Rank
from updater.model.image import is_tag
from updater.model.selection import Code
from updater.policies.base import NotRanked, Policy, check_options, text_option, unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.candidate import Candidate

OPTIONS: Final = {"tag": "the tag to follow"}


@dataclass(frozen=True)
class DigestPolicy(Policy):
    """Choose the candidate whose tag is *tag*, with its digest (of the index, if there is one)."""

    has_variants: ClassVar[bool] = False
    follows_digest: ClassVar[bool] = True
    chosen_facts: ClassVar[frozenset[Fact]] = frozenset({Fact.DIGEST})

    tag: str

    @property
    def reason(self) -> str:
        """The tag that is followed."""
        return "the tag that is followed"

    @property
    def followed_tag(self) -> str | None:
        """The tag."""
        return self.tag

    def rank(self, text: str, candidate: Candidate) -> Rank | NotRanked:
        """Place the followed tag alone."""
        if candidate.tag == self.tag:
            return unread(candidate) or Rank(0)
        return NotRanked(Code.RANGE, f"{text} is not {self.tag}, the tag that is followed")

    def written(self, text: str, candidate: Candidate) -> Rank | None:  # noqa: ARG002 - the signature of every policy
        """Return nothing: what a tag pointed to before is neither above nor below."""
        return None


def build(options: Mapping[str, object]) -> Policy:
    """Build from ``tag``; raise `PolicyError`."""
    check_options("digest", options, OPTIONS)
    tag = text_option("digest", options, "tag")
    if tag is None:
        raise PolicyError("the policy digest has no tag to follow", hint='name it: {"digest": {"tag": "latest"}}')
    if not is_tag(tag):
        raise PolicyError(f"{tag!r} is not a tag", hint="a tag has letters, digits, '_', '.', '-', at most 128")
    return DigestPolicy(tag=tag)
