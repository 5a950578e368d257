"""All subscriptions at one moment as rows, and how rows are searched, filtered, sorted and paged. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from updater.model.text import printable
from updater.reporting.last_outcomes import MOST_WRITTEN, naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from updater.model.progress import Progress
    from updater.reporting.last_outcomes import SubscriptionStatus

UNKNOWN: Final = "unknown"
MOST_ROWS: Final = 1000
USUAL_ROWS: Final = 100
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_FILE: Final = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRow:
    """One subscription, for a table; None where something is not known.

    *source* is the kind of what asked for it (``file``, ``Application``, …), *origin* names it, *namespace* is that of an object.
    *written* are the distinct values at its targets, *running* what the cluster says where nothing is written, *newest* the
    newest tag that the policy allows and *newest_at* when that came into being. *state* is one word, ``unknown`` before the
    first pass; *reason*, *code*, *hint* and *opens_at* are those of the outcome behind it. *held_by* is the code of what holds
    it, *verdict* what the cluster made of our last commit, since *verdict_at* by *workload*. *last_change* is when we changed a
    value last, *progress* how far a canary has come that is under way.
    """

    key: str
    image: str | None = None
    source: str | None = None
    origin: str | None = None
    namespace: str | None = None
    policy: str | None = None
    written: tuple[str, ...] = ()
    running: str | None = None
    newest: str | None = None
    newest_at: datetime | None = None
    state: str = UNKNOWN
    reason: str | None = None
    code: str | None = None
    hint: str | None = None
    opens_at: datetime | None = None
    since: datetime | None = None
    last_change: datetime | None = None
    held_by: str | None = None
    verdict: str | None = None
    verdict_at: datetime | None = None
    workload: str | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """Which rows are asked for. Empty tuples and texts ask for all.

    *search* is looked for in key and image, whatever the case. *keys* are keys, globs, or Applications.
    """

    search: str = ""
    keys: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    sort: str = "key"
    is_descending: bool = False
    offset: int = 0
    limit: int = USUAL_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPage:
    """The rows of one page. *total* counts all that match.

    *states* counts the rows by state as they match apart from the filter by state; *sources* and *namespaces* are all there are.
    """

    subscriptions: tuple[FleetRow, ...]
    total: int
    offset: int
    limit: int
    states: Mapping[str, int]
    sources: tuple[str, ...]
    namespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTable:
    """Every row by key, with its status and what is searched of it. *version* tells tables of the same process apart."""

    version: int = 0
    rows: Mapping[str, FleetRow] = field(default_factory=lambda: MappingProxyType({}))
    statuses: Mapping[str, SubscriptionStatus] = field(default_factory=lambda: MappingProxyType({}))
    needles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


def table_of(statuses: Iterable[SubscriptionStatus], *, version: int = 0) -> FleetTable:
    """Return the table of *statuses*, which come sorted by key."""
    by_key = {status.key: status for status in statuses}
    rows = {key: row_of(status) for key, status in by_key.items()}
    return FleetTable(
        version=version,
        rows=rows,
        statuses=by_key,
        needles={key: f"{key}\n{row.image or ''}".lower() for key, row in rows.items()},
        sources=tuple(sorted({row.source for row in rows.values() if row.source})),
        namespaces=tuple(sorted({row.namespace for row in rows.values() if row.namespace})),
    )


def with_statuses(table: FleetTable, statuses: Iterable[SubscriptionStatus], *, version: int) -> FleetTable:
    """Return *table* with *statuses* in place of those of the same subscriptions, which it has."""
    by_key = {status.key: status for status in statuses}
    rows = {key: row_of(status) for key, status in by_key.items()}
    return replace(table, rows={**table.rows, **rows}, statuses={**table.statuses, **by_key}, version=version)


def row_of(status: SubscriptionStatus) -> FleetRow:
    """Return the row of one subscription."""
    origin = status.origin
    is_object = origin is not None and origin.kind != _FILE
    return FleetRow(
        key=status.key,
        image=status.image,
        source=origin.kind if origin else None,
        origin=str(origin) if origin else None,
        namespace=origin.name.partition("/")[0] if origin is not None and is_object else None,
        policy=status.policy,
        written=status.written[:MOST_WRITTEN],
        running=status.running,
        newest=status.chosen,
        newest_at=status.chosen_at,
        state=status.state.value if status.state else UNKNOWN,
        reason=status.reason,
        code=status.code,
        hint=status.hint,
        opens_at=status.opens_at,
        since=status.since,
        last_change=status.last_change,
        held_by=status.held_by,
        verdict=status.verdict,
        verdict_at=status.release.at if status.release else None,
        workload=str(status.release.workload) if status.release and status.release.workload else None,
        progress=status.progress,
    )


def _by_moment(name: str) -> Callable[[FleetRow], Any]:
    return lambda row: getattr(row, name) or _NEVER


#: what rows can be sorted by; rows that are equal stay in the order of their keys
SORTS: Final[Mapping[str, Callable[[FleetRow], Any]]] = {
    "key": lambda row: row.key,
    "image": lambda row: row.image or "",
    "state": lambda row: row.state,
    "newest_at": _by_moment("newest_at"),
    "last_change": _by_moment("last_change"),
    "since": _by_moment("since"),
}


def page_of(table: FleetTable, query: RowQuery) -> RowPage:
    """Return the rows of *table* that *query* asks for."""
    needle = printable(query.search.strip()).lower()
    is_named = naming(query.keys)
    found = [
        row
        for key, row in table.rows.items()
        if is_named(key) and _fits(row, query) and (not needle or needle in table.needles[key])
    ]
    states = Counter(row.state for row in found)
    if query.states:
        found = [row for row in found if row.state in query.states]
    if query.sort != "key" or query.is_descending:
        found.sort(key=SORTS[query.sort], reverse=query.is_descending)
    return RowPage(
        subscriptions=tuple(found[query.offset : query.offset + query.limit]),
        total=len(found),
        offset=query.offset,
        limit=query.limit,
        states=dict(sorted(states.items())),
        sources=table.sources,
        namespaces=table.namespaces,
    )


def _fits(row: FleetRow, query: RowQuery) -> bool:
    return (not query.sources or row.source in query.sources) and (not query.namespaces or row.namespace in query.namespaces)
