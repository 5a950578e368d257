"""What every source of subscriptions does: it hands on whole snapshots, and hears what became of what it asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from updater.model.outcome import Outcome
    from updater.model.report import Report
    from updater.model.scan_key import ScanKey
    from updater.model.snapshot import Snapshot
    from updater.model.subscription import Destination


def _nothing(*_arguments: object, **_options: object) -> None:
    return


@dataclass(slots=True)
class SourceRequests:
    """What a source may ask for out of turn; who does the work sets these, and before that nothing comes of it.

    *scan* an image now. *land* a destination now. *reflect* says again what the policies of subscriptions, by key, choose for a
    place that holds nothing, with the digests that their registries have now.
    """

    scan: Callable[[ScanKey], None] = _nothing
    land: Callable[[Destination], None] = _nothing
    reflect: Callable[[Iterable[str]], None] = _nothing


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

    async def caught_up(self) -> None:
        """Wait, not long, until all is handed on that was heard so far: nobody writes what was just taken back."""

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """What was asked for and is no subscription, each with its reason."""

    def hear(self, report: Report) -> None:
        """Hear what happened, and leave out what is about others; never raises and never waits."""

    def lead(self) -> None:
        """Write from now on what is due: this replica leads."""

    async def finish(self) -> None:
        """Write what is due now, at the end of a single pass."""
