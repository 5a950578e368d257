"""What answering Argo CD's objects is allowed to do: what every controller may, and to let Argo CD look again."""

from __future__ import annotations

from dataclasses import dataclass

from updater.controller.options import ControllerOptions


@dataclass(slots=True, kw_only=True)
class FeedbackOptions(ControllerOptions):
    """What answering needs. *refresh* False leaves Argo CD to its own rhythm; the others are those of `ControllerOptions`."""

    refresh: bool = True
