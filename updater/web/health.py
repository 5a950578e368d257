"""How the registries, Git hosts and forges are, and what is wrong with what was asked for; frozen values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from updater.model.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """One host that is asked over HTTP. *state* is ok, failing, paused or down.

    It is left alone for *paused* seconds because it said so, for *down* seconds because it did not answer *failures* times in a
    row. *remaining* of *limit* requests are left, None where it does not say so.
    """

    host: str
    state: str
    paused: float = 0.0
    down: float = 0.0
    failures: int = 0
    remaining: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """What one account of a forge may still ask. *account* tells accounts of a host apart and says nothing of them."""

    host: str
    account: str
    resource: str
    remaining: int | None
    limit: int
    renewed_in: float
    rests_for: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryView:
    """How the scans of one registry went: *failing* of *images* failed last; *code*, *reason* and *hint* are those of one."""

    host: str
    images: int
    failing: int
    code: str | None = None
    reason: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """One source: how many subscriptions it asks for, and whether it was heard."""

    name: str
    subscriptions: int
    problems: int
    is_heard: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaView:
    """Which replica answers: *is_leader* where it is the one that works; *leader* is the address of that one, if known."""

    is_leader: bool
    leader: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetHealth:
    """All of it at one moment. *waits_for* is what readiness waits for, "" where this replica is ready."""

    version: str
    at: datetime
    waits_for: str
    replica: ReplicaView
    sources: tuple[SourceView, ...]
    registries: tuple[RegistryView, ...]
    hosts: tuple[HostView, ...]
    budgets: tuple[BudgetView, ...]
    problems: tuple[Problem, ...]
