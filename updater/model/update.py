"""How a decision becomes bytes: updates, the edits they make, the commits and the push."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.image import ImageRef
    from updater.model.problem import Problem
    from updater.model.subscription import CommitSpec, Locator, Target
    from updater.model.view import Reading


class Purpose(StrEnum):
    """Why a value changes: forwards by policy, or back because a release was bad."""

    MOVE = "move"
    REVERT = "revert"


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """What an editor is asked to write at one place: the reading it must still find there, and the new image.

    *image* holds what its form allows: no digest for form tag, no tag for form digest. An editor that finds
    anything else than *reading* there refuses with code ``moved``.
    """

    locator: Locator
    reading: Reading
    image: ImageRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value that changed: 1-based line, key path, the texts before and after."""

    path: str
    line: int
    where: str
    old: str
    new: str
    setter: str = ""
    object_id: tuple[str, str, str, str] = ("", "", "", "")
    subscription: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one request: the changes that it made, by their numbers in `Edit.changes`, or why it was refused.

    Neither where the place already had the value.
    """

    changes: tuple[int, ...] = ()
    refusal: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One file before and after, with every change in it and every place that was refused.

    *answers* has one entry for each request that the editor was given, in their order. *is_made* where there was no file
    before.
    """

    path: str
    before: bytes
    after: bytes
    changes: tuple[Change, ...]
    refused: tuple[Problem, ...] = ()
    answers: tuple[Answer, ...] = ()
    is_made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A new value for one place of a target, with the value expected there.

    *written_as* is what the trailers say: name, tag and, where the registry tells it, digest. *replaced* is the image that gives
    way, where the order of its policy is lost with the cache, so that Git must remember it. *rejected* is the image that a revert
    takes back, and *why* says what became of it.
    """

    subscription: str
    target: Target
    reading: Reading
    image: ImageRef
    written_as: ImageRef = field(compare=False)
    policy: str
    origin: str
    purpose: Purpose = Purpose.MOVE
    replaced: ImageRef | None = field(default=None, compare=False)
    rejected: ImageRef | None = field(default=None, compare=False)
    why: str = field(default="", compare=False)

    def __hash__(self) -> int:
        """Hash what tells updates apart: they are looked up often, and all that they hold is much."""
        return hash((self.subscription, self.reading.path, self.reading.where, self.reading.setter))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is not written beside the updates of a commit, of which *subscription*, and why."""

    subscription: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The updates of one commit spec, to be one commit. *held* is what is not written beside them, for people to read.

    *unripe* is why none of it may be merged without people at this moment, "" where it may: a rebuilt branch keeps what is held.
    A dry run of an *is_trial* one comes right before the write, and refuses what the write would refuse.
    """

    commit_spec: CommitSpec
    updates: tuple[Update, ...]
    held: tuple[Held, ...] = ()
    unripe: str = ""
    is_trial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """What a write did, by update: the changes it made, the refusal it met, the commit that carries it.

    *edits* are the files before and after, one a file over all commits. With *is_dry* nothing was pushed. *note*
    says why there is no commit although there are changes. *messages* are what the commits say, by their hash, without trailers.
    *held* are the updates that somebody decided against, with the reason; *link* is the pull request that carries the others,
    *remark* what else is to be said of it. With *is_merged* it was merged by us just now.
    *rejected* are those of *held* that people closed a pull request for, with the commit that it asked to merge.
    """

    changes: Mapping[Update, tuple[Change, ...]]
    refused: Mapping[Update, Problem]
    revisions: Mapping[Update, str]
    edits: tuple[Edit, ...] = ()
    is_dry: bool = False
    note: str = ""
    messages: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[Update, Problem] = field(default_factory=dict)
    link: str = ""
    remark: str = ""
    is_merged: bool = False
    rejected: Mapping[Update, str] = field(default_factory=dict)
