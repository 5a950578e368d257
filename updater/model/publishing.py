"""How a change reaches a Git branch: straight, by another branch that is made anew each time, or by a proposal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Direct:
    """Straight to the branch that is read."""


@dataclass(frozen=True, slots=True)
class PushBranch:
    """To another branch, made anew at each landing from the one that is read."""

    name: str


@dataclass(frozen=True, slots=True)
class PushTemplate:
    """To another branch, whose name *template* makes once the updates are known.

    *stand_in* is its name until then: one of its own that holds for this origin alone, so that what does not know the template
    never writes to the base.
    """

    template: str
    stand_in: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """By a pull or merge request. Nothing makes one yet: a destination that asks for it is refused."""


Publishing = Direct | PushBranch | PushTemplate | Proposal

DIRECT = Direct()


def pushed_as(publishing: Publishing, branch: str) -> str:
    """Return the name of the branch that is written where *branch* is read; "" where nobody knows it yet."""
    match publishing:
        case Direct():
            return branch
        case PushBranch(name):
            return name
        case PushTemplate(_, stand_in):
            return stand_in
        case Proposal():
            return ""
