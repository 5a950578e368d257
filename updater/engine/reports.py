"""How what the engine did becomes reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from updater.engine.decide import other_words
from updater.engine.in_force import decided
from updater.errors import UpdaterError
from updater.model.candidate import FactFailure
from updater.model.report import DestinationLanded, ImageScanned, LandingEnd, SelectionMade, SelectionReflected
from updater.model.written import Written
from updater.policies.choose import nothing_named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from updater.engine.landing import Chooser, Landing
    from updater.model.report import Report
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Subscription
    from updater.model.view import Reading


def scan_report(
    listed: ScanKey, *, names: Collection[str], failure: UpdaterError | None, began: datetime, at: datetime
) -> ImageScanned:
    """Return the report of one scan."""
    return ImageScanned(listed=listed, names=names, failure=_told(failure) if failure else None, began=began, at=at)


async def reflect(subscription: Subscription, choose: Chooser, *, began: datetime) -> SelectionReflected:
    """Return what the policy of *subscription* chooses for a place that holds nothing; raise nothing."""
    selection, failure = None, None
    try:
        selection = await choose(
            decided(subscription, began.timestamp()),
            Written(),
            needs_digest=subscription.reflects_digest,
            rejected={},
            named=nothing_named,
        )
    except UpdaterError as error:
        failure = _told(error)
    return SelectionReflected(
        subscription=subscription.key, selection=selection, failure=failure, began=began, at=datetime.now(UTC)
    )


def landing_reports(landing: Landing, *, seconds: float, at: datetime) -> Iterator[Report]:
    """Yield the reports of one landing: what was chosen, then how it ended."""
    for (key, written), choice in landing.choices.items():
        if not isinstance(choice, UpdaterError):
            yield SelectionMade(subscription=key, written=written, selection=choice, at=at)
    view = landing.view
    yield DestinationLanded(
        destination=landing.destination,
        outcomes=landing.outcomes,
        end=_end(landing),
        notes=view.notes if view else None,
        written=_written(landing),
        paths=_paths(landing),
        recent=view.recent if view else (),
        rejected=landing.rejections(),
        replays=landing.replays,
        seconds=seconds,
        head=view.head if view else None,
        messages=landing.landed.messages if landing.landed else {},
        at=at,
    )


def _told(error: UpdaterError) -> FactFailure:
    return FactFailure(error.code, error.message, error.hint, other_words(error))


def _end(landing: Landing) -> LandingEnd:
    if landing.landed is not None:
        return LandingEnd.PUSHED if landing.landed.revisions else LandingEnd.UNCHANGED
    return LandingEnd.FAILED if landing.view is None else LandingEnd.QUIET


def _paths(landing: Landing) -> dict[str, tuple[str, ...]]:
    """Return the files in which each subscription has its places."""
    found: dict[str, dict[str, None]] = {}
    for (key, _), readings in landing.view.readings.items() if landing.view else ():
        for reading in readings:
            found.setdefault(key, {})[reading.path] = None
    return {key: tuple(paths) for key, paths in found.items()}


def _written(landing: Landing) -> dict[str, tuple[Written, ...]]:
    """Return what stands at the destination after the landing, each value once; a branch of its own leaves the base as it was."""
    if landing.view is None:
        return {}
    moved: dict[tuple[str, Reading], Written] = {}
    if landing.landed is not None and not landing.destination.is_rebuilt:
        for update in landing.landed.revisions:
            image = update.image
            digest = str(image.digest) if image.digest else None
            name = image.name.spelled if update.reading.written.name else None
            moved[update.subscription, update.reading] = Written(name=name, tag=image.tag, digest=digest)
    values: dict[str, dict[Written, None]] = {}
    for (key, _), readings in landing.view.readings.items():
        for reading in readings:
            written = moved.get((key, reading), reading.written) if moved else reading.written
            values.setdefault(key, {})[written] = None
    return {key: tuple(those) for key, those in values.items()}
