"""Promises for the moment in which leading ends while something is under way."""

from __future__ import annotations

import pytest

from tests.flows.fleet import add_usual, fleet

pytestmark = pytest.mark.real


class Leads:
    is_leader = True


class EndingAfterLook:
    """A writer that looks until leading has ended."""

    def __init__(self, writer, leads):
        self.writer, self.leads = writer, leads

    async def look(self, destination, subscriptions):
        view = await self.writer.look(destination, subscriptions)
        self.leads.is_leader = False
        return view

    async def write(self, view, commits, *, is_dry):
        return await self.writer.write(view, commits, is_dry=is_dry)


async def test_what_was_looked_at_as_the_leader_is_not_written_by_who_leads_no_more(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.registry.push("o/app", "1.1.0")
        leads, before = Leads(), made.repository.head()
        async with made.opened(wrap=lambda writer: EndingAfterLook(writer, leads)) as generation:
            generation._process.leading = leads  # what stands there in a daemon of several replicas
            (landing,) = await generation.once(generation.subscriptions, is_dry=False)
            assert {outcome.code for outcome in landing.outcomes} == {"not-leading"}
            assert (made.repository.head(), made.repository.pushes) == (before, [])
            assert await generation.last_outcomes() == ()
