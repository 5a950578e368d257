"""What the writer of every kind of destination promises: branches go to Git, live Applications to the cluster."""

from __future__ import annotations

import pytest

from tests.inventory.asking import LIVE, MAIN
from updater.daemon.components import WriterRoutes, live_writer
from updater.daemon.process import Process
from updater.errors import ConfigError
from updater.model.view import View
from updater.settings.cluster import KubernetesSettings


class WriterByHand:
    def __init__(self, name):
        self.name = name

    async def look(self, destination, subscriptions):
        return self.name, destination, subscriptions

    async def write(self, view, commits, *, is_dry):
        return self.name, view.destination, commits, is_dry


def nobody():
    raise AssertionError("nobody asked for the cluster")


async def test_each_destination_is_looked_at_and_written_by_its_own_writer():
    routes = WriterRoutes(WriterByHand("git"), lambda: WriterByHand("live"))
    for destination, name in ((MAIN, "git"), (LIVE, "live")):
        view = View(destination=destination, head="1", readings={}, problems={}, pending={})
        assert await routes.look(destination, ()) == (name, destination, ())
        assert await routes.write(view, (), is_dry=True) == (name, destination, (), True)


async def test_who_writes_only_branches_needs_no_cluster():
    assert await WriterRoutes(WriterByHand("git"), nobody).look(MAIN, ()) == ("git", MAIN, ())


async def test_without_a_way_to_a_cluster_a_live_application_cannot_be_looked_at(tmp_path):
    settings = KubernetesSettings(kubeconfig=str(tmp_path / "nowhere"))
    async with Process(tmp_path, kubernetes=settings) as process:
        with pytest.raises(ConfigError) as caught:
            await WriterRoutes(WriterByHand("git"), live_writer(process, None)).look(LIVE, ())
    assert "nowhere" in caught.value.message
