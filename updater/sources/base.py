"""What every source of subscriptions does: it hands on whole snapshots, and hears what became of what it asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.model.outcome import Outcome
    from updater.model.report import DestinationLanded, TargetsRefused
    from updater.model.snapshot import Snapshot


class Source(Protocol):
    """Where subscriptions come from while the program runs, and who is answered there."""

    @property
    def name(self) -> str:
        """The word for it in metrics."""

    async def once(self) -> Snapshot:
        """Read everything once; raise `KubeError` and `ConfigError`."""

    async def again(self) -> Snapshot:
        """Return what `once` read, with what was learned of branches since."""

    async def run(self, deliver: Callable[[Snapshot], Awaitable[None]]) -> None:
        """Hand on whole snapshots until cancelled; raise `ConfigError`."""

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """What was asked for and is no subscription, each with its reason."""

    def hear(self, report: DestinationLanded | TargetsRefused) -> None:
        """Hear how targets ended; never raises and never waits."""

    def lead(self) -> None:
        """Write from now on what is due: this replica leads."""

    async def finish(self) -> None:
        """Write what is due now, at the end of a single pass."""
