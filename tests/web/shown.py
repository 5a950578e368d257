"""A fleet by hand with everything that a page can show, and things that happen in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.web.site import FleetByHand
from updater.model.problem import Problem
from updater.model.progress import Progress
from updater.web.detail import (
    DecisionView,
    GateView,
    LadderStep,
    PastChange,
    PlaceView,
    ReleaseView,
    Standing,
    SubscriptionDetail,
    TargetView,
)
from updater.web.events import EventKind, EventPart
from updater.web.fleet import FleetRow
from updater.web.health import BudgetView, FleetHealth, HostView, RegistryView, SourceView

NOW = datetime.now(UTC)
STATES = ("updated", "unchanged", "held", "failed", "proposed", "no-match", "reverted", "unknown")
HOSTILE = "<img src=x onerror=window.pwned=1>\"'><script>window.pwned=1</script>"


def row(key, **more):
    """Return a row as the engine makes them."""
    usual = {"image": f"r.test/acme/{key}", "written": (f"r.test/acme/{key}:1.4.2",), "newest": "1.4.3", "state": "updated"}
    known = {
        "source": "file",
        "origin": "file updater.yaml:4",
        "policy": "semver >=1",
        "last_change": NOW - timedelta(days=5, hours=12),
    }
    return FleetRow(key=key, **{**usual, **known, **more})


def fleet(count=24):
    """Return a fleet of *count* subscriptions in every state."""
    rows = []
    for number in range(count):
        state = STATES[number % len(STATES)]
        reason = f"{state} for a reason that takes some words to tell" if state in {"held", "failed"} else None
        namespace, source = ("shop", "Application") if number % 3 else (None, "file")
        more = {"code": "min-age" if state == "held" else None, "namespace": namespace, "source": source}
        if state == "updated":
            more |= {"verdict": "progressing", "progress": canary()}
        rows.append(row(f"app-{number:04}", state=state, reason=reason, newest_at=NOW - timedelta(hours=number), **more))
    return ShownFleet(*rows)


def canary(at=2, **more):
    """Return a canary at step *at* of four."""
    plan = ("set weight 20", "pause until promoted", "set weight 60", "pause 10m")
    usual = {"step": at, "steps": 4, "weight": 20, "words": "paused until somebody promotes it", "plan": plan}
    return Progress(**{**usual, **more})


def step(tag, standing=Standing.ALLOWED, hours=None, **more):
    """Return one tag of a ladder."""
    return LadderStep(tag=tag, standing=standing, at=None if hours is None else NOW - timedelta(hours=hours), **more)


def detail(shown):
    """Return a subscription with something of everything."""
    where = {"destination": "https://git.test/fleet.git#main"}
    return SubscriptionDetail(
        row=shown,
        tags=5,
        ladder=(
            step("1.5.0", Standing.HELD, 1, code="min-age", reason="1.5.0 must be 3d old", opens_at=NOW + timedelta(days=2)),
            step("1.4.3", Standing.CHOSEN, 24, reason="the highest version", is_written=True),
            step("1.4.2", hours=72, code="outranked", reason="1.4.2 ranks below 1.4.3"),
            step("2.0.0-rc.1", Standing.REJECTED, 30, code="prerelease", reason="a prerelease"),
            step("latest", Standing.REJECTED, code="not-a-version", reason="not a version"),
        ),
        places=(
            PlaceView(
                target="kustomize apps/web: web",
                path="apps/web/kustomization.yaml",
                line=6,
                where="images[0].newTag",
                written="r.test/acme/web:1.4.3",
                link="https://git.test/fleet/src/branch/main/apps/web/kustomization.yaml#L6",
                **where,
            ),
        ),
        targets=(TargetView(target="kustomize apps/web: web", status="held", detail="another reason", code="min-age"),),
        gates=(
            GateView(
                gate="min-age", is_open=False, reason="too young", code="min-age", opens_at=NOW + timedelta(days=2), **where
            ),
            GateView(gate="windows", is_open=True, reason="any time", **where),
        ),
        decisions=(
            DecisionView(
                kind="hold",
                told="held by Ada: audit",
                author="Ada",
                reason="audit",
                where="holds.yaml",
                until=NOW + timedelta(days=1),
            ),
        ),
        release=ReleaseView(
            image="r.test/acme/web:1.4.3",
            revision="a" * 40,
            workload="Rollout shop/web",
            verdict="progressing",
            reason="it is paused at step 2 of 4: CanaryPauseStep",
            began=NOW - timedelta(minutes=12),
            at=NOW - timedelta(minutes=12),
            is_under_way=True,
            progress=shown.progress,
        ),
        history=(
            PastChange(
                revision="a" * 40, when=NOW, subject="Update web to 1.4.3", old="1.4.2", new="1.4.3", verdict="healthy", **where
            ),
            PastChange(revision="b" * 40, when=NOW, subject="Update web to 1.4.2", reverted_by="c" * 40, **where),
        ),
        problems=(Problem(origin="file updater.yaml:4", path="image", code="image-syntax", message="a fault", hint="mend it"),),
    )


class ShownFleet(FleetByHand):
    """Shows its rows with full details, and lets things happen."""

    async def detail(self, key):
        await super().detail(key)
        return detail(self.rows[key])

    async def health(self):
        found = await super().health()
        return replace(
            found,
            sources=(SourceView(name="file", subscriptions=24, problems=1, is_heard=True),),
            registries=(
                RegistryView(host="r.test", images=24, failing=2, code="registry-unavailable", reason="no answer", hint="wait"),
            ),
            hosts=(HostView(host="r.test", state="paused", paused=12, remaining=40, limit=100),),
            budgets=(
                BudgetView(
                    host="git.test", account="ab12", resource="core", remaining=4000, limit=5000, renewed_in=60, rests_for=0
                ),
            ),
            problems=(
                Problem(origin="file updater.yaml:9", path="policy", code="unknown-key", message="unknown key", hint="mend it"),
            ),
        )

    def happens(self, key, **changes):
        """Change a row, and tell it."""
        changed = self.rows[key] = replace(self.rows[key], **changes)
        part = EventPart(kind=EventKind.OUTCOME, word=changed.state, detail=changed.reason or "1.4.2 → 1.4.3", key=key)
        self.events.add(part, datetime.now(UTC))


__all__ = ["HOSTILE", "NOW", "STATES", "FleetHealth", "ShownFleet", "canary", "detail", "fleet", "row", "step"]
