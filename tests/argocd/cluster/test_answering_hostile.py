"""Promises of what is told while others write the same objects, or refuse to take it."""

from __future__ import annotations

import asyncio

from tests.argocd.cluster.test_answering import begin, listed, server, time  # noqa: F401 - fixtures
from tests.argocd.cluster.test_source import put
from tests.argocd.request.making import WEB_OUTCOME, application
from tests.fakes.kube import refuse, when
from updater.argocd.cluster.kinds import IMAGE_UPDATER
from updater.model.outcome import Status

THEIRS = {"type": "Ready", "status": "True", "reason": "Theirs", "message": "all is well", "lastTransitionTime": "t"}


async def overwrite(server):  # noqa: F811 - the fixture's name
    """Write the status again whenever it is another one, as a controller does that follows every change."""
    while True:
        await asyncio.sleep(0.005)
        found = server.read(IMAGE_UPDATER, "all", "argocd")
        if found and (found.get("status") or {}).get("conditions") != [THEIRS]:
            await put(server, {**listed(), "status": {"conditions": [THEIRS], "observedGeneration": 1}})


async def test_two_controllers_of_one_status_do_not_write_for_ever(begin, server):  # noqa: F811
    async with begin(application(), listed()) as stage:
        await stage.settled()
        other = asyncio.create_task(overwrite(server))
        try:
            await stage.land(WEB_OUTCOME)
            await stage.until(lambda: bool(stage.reported), "it is told")
            for _ in range(20):
                await asyncio.sleep(0.1)
            written = len(stage.statuses())
            await asyncio.sleep(1)
            assert len(stage.statuses()) == written <= 8
            assert stage.reported == [("status of ImageUpdater argocd/all", "status-contended")]
            await stage.land(
                type(WEB_OUTCOME)(key=WEB_OUTCOME.key, target="", status=Status.HELD, detail="older", code="downgrade")
            )
            await stage.until(lambda: len(stage.statuses()) > written, "news is written at once")
        finally:
            other.cancel()


async def test_an_object_that_cannot_be_written_has_one_retry_however_often_it_is_touched(begin, server, time):  # noqa: F811
    async with begin(application(), listed()) as stage:
        await stage.settled()
        server.faults.append(when(lambda _: refuse(403, "no"), method="PATCH"))
        for number in range(5):
            before = len(stage.reported)
            outcome = type(WEB_OUTCOME)(
                key=WEB_OUTCOME.key, target="", status=Status.HELD, detail=f"reason {number} of many", code="x"
            )
            await stage.land(outcome)
            await stage.until(lambda before=before: len(stage.reported) > before, "refused")
        assert sum(seconds >= 30 for seconds in time.slept) == 1
