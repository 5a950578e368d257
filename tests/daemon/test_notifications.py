"""How routes are put to work: their library, their secrets, and what a lost receiver costs."""

from __future__ import annotations

import pytest

from tests.fakes.message_receiver import MessageReceiver
from tests.reporting.notifications.making import notice
from tests.settings.making import settings_of
from updater.daemon import notifications
from updater.daemon.notifications import check_routes, routes_of, send_test
from updater.daemon.process import Process
from updater.errors import ConfigError
from updater.reporting.notifications.queue import NotifyError


def routes(text):
    return settings_of(f"notifications: {text}")


def test_a_route_that_needs_apprise_is_refused_where_it_is_not_installed_and_cloudevents_are_not(monkeypatch):
    monkeypatch.setattr(notifications, "_LIBRARY", "a_package_that_is_not_there")
    check_routes(routes('[{to: "env:A", kind: cloudevents}]').notifications)
    with pytest.raises(ConfigError) as caught:
        check_routes(routes('[{to: "env:A", kind: cloudevents}, {to: "env:B"}]').notifications)
    assert caught.value.code == "notify-extra"
    assert caught.value.message.startswith("notifications[1]: ")
    assert "pip install apprise" in caught.value.hint


async def test_an_address_is_read_at_each_message_so_that_a_secret_may_change(tmp_path):
    where = tmp_path / "address"
    async with MessageReceiver() as receiver, Process(tmp_path / "state") as process:
        (route,) = routes_of(routes(f'[{{to: "file:{where}", kind: cloudevents}}]'), process)
        for path in ("/first", "/second"):
            where.write_text(receiver.url(path=path) + "\n")
            await route.receiver.send(notice())
        assert [delivery.path for delivery in receiver.deliveries] == ["/first", "/second"]


@pytest.mark.parametrize("kind", ["apprise", "cloudevents"])
async def test_an_address_that_is_not_there_is_said_with_where_it_should_be(tmp_path, kind):
    (tmp_path / "empty").write_text(" \n")
    async with Process(tmp_path / "state") as process:
        for reference in ("env:NOT_SET_ANYWHERE", f"file:{tmp_path}/none", f"file:{tmp_path}/empty"):
            (route,) = routes_of(routes(f'[{{to: "{reference}", kind: {kind}}}]'), process)
            with pytest.raises(NotifyError) as caught:
                await route.receiver.send(notice())
            assert caught.value.is_lasting
            assert caught.value.hint == "write the address or the token there"


async def test_receivers_are_counted_as_no_registry(tmp_path, monkeypatch):
    async with MessageReceiver() as receiver, Process(tmp_path / "state") as process:
        monkeypatch.setenv("EVENTS", receiver.url())
        await send_test(routes('[{to: "env:EVENTS", kind: cloudevents}]'), process, "1")
        assert receiver.deliveries
        assert b"updater_registry_requests_total{" not in process.render_metrics()
