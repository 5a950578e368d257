"""What the settings of notifications accept, and how each fault is named."""

from __future__ import annotations

import pytest

from tests.settings.making import problem_of, settings_of
from updater.model.notification import NotifiedEvent, RouteKind
from updater.settings.notifications import named_routes


def test_a_route_needs_an_address_alone():
    (route,) = settings_of('notifications: [{to: "env:CHAT"}]').notifications
    assert (str(route.to), route.kind, route.on, route.only) == ("env:CHAT", RouteKind.APPRISE, tuple(NotifiedEvent), None)
    assert (route.name, route.template, route.credentials) == (None, None, None)
    assert settings_of("").notifications == ()


def test_a_route_without_a_name_is_known_by_its_place():
    routes = settings_of('notifications: [{to: "env:A"}, {name: chat, to: "env:B"}, {to: "env:C"}]').notifications
    assert [name for name, _ in named_routes(routes)] == ["1", "chat", "3"]


@pytest.mark.parametrize("only", ["shop-*", "[shop-*]"])
def test_one_glob_may_be_written_without_a_list(only):
    (route,) = settings_of(f'notifications: [{{to: "env:A", only: {only}, on: [failed, failed]}}]').notifications
    assert (route.only, route.on) == (("shop-*",), (NotifiedEvent.FAILED,))


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("[{}]", "missing-key", "notifications[0].to"),
        ("[{to: 'https://hooks.test/s3cret'}]", "credential-ref", "notifications[0].to"),
        ("[{to: 'pullsecret:a/b'}]", "credential-unsupported", "notifications[0].to"),
        ("[{to: 'env:A', on: []}]", "empty", "notifications[0].on"),
        ("[{to: 'env:A', on: [update]}]", "bad-value", "notifications[0].on[0]"),
        ("[{to: 'env:A', only: []}]", "empty", "notifications[0].only"),
        ("[{to: 'env:A', only: ''}]", "policy", "notifications[0].only[0]"),
        ("[{to: 'env:A', only: 3}]", "wrong-type", "notifications[0].only"),
        ("[{to: 'env:A', name: 'a b'}]", "route-name", "notifications[0].name"),
        ("[{to: 'env:A', name: a}, {to: 'env:B', name: a}]", "duplicate-key", "notifications[1].name"),
        ("[{to: 'env:A', name: '2'}, {to: 'env:B'}]", "duplicate-key", "notifications[1]"),
        ("[{to: 'env:A', template: '{{ uper .Title }}'}]", "template-function", "notifications[0].template"),
        ("[{to: 'env:A', kind: cloudevents, template: x}]", "conflict", "notifications[0].template"),
        ("[{to: 'env:A', credentials: 'env:B'}]", "conflict", "notifications[0].credentials"),
        ("[{to: 'env:A', kind: slack}]", "bad-value", "notifications[0].kind"),
        ("[{to: 'env:A', too: b}]", "unknown-key", "notifications[0].too"),
        (f"[{', '.join(['{to: x}'.replace('x', chr(39) + 'env:A' + chr(39))] * 51)}]", "bad-value", "notifications[50]"),
    ],
)
def test_a_fault_of_a_route_is_named_with_its_place(text, code, place):
    problem = problem_of(f"notifications: {text}")
    assert problem.message.startswith(place)
    assert problem.code == code
    assert problem.hint or code in {"bad-value", "wrong-type"}
    assert "s3cret" not in f"{problem.message} {problem.hint}"
