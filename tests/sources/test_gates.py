"""Gates of the settings become rules of subscriptions; what nothing could decide is refused with the reason."""

from __future__ import annotations

import pytest

from updater.errors import ConfigError
from updater.model.gates import NO_GATES, ChangeRate, WindowKind
from updater.sources.file import load

GIT = "- git: {url: 'https://git.test/fleet.git'}\n        marker: ns:app"
LIVE = "- argocd: {application: argocd/app}"


def loaded(tmp_path, *gates, default="{}", targets=GIT):
    """Load one subscription for each of *gates*, named a, b, c."""
    entries = "".join(
        f"  - key: {key}\n    image: ghcr.io/o/{key}\n    policy: {{semver: {{}}}}\n"
        f"    gates: {own}\n    targets:\n      {targets}\n"
        for key, own in zip("abc", gates, strict=False)
    )
    path = tmp_path / "updater.yaml"
    author = "git: {author: {name: updater, email: updater@example.org}}"
    path.write_text(f"{author}\ngates: {default}\nsubscriptions:\n{entries}")
    return [item.gates for item in load([path], {}).snapshot.subscriptions]


def problems(tmp_path, *gates, **more):
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, *gates, **more)
    return refused.value.problems


def test_a_subscription_takes_the_defaults_that_it_does_not_say_itself(tmp_path):
    default = "{min_age: 1d, max_changes: 4/h, windows: [{kind: deny, schedule: '0 12 * * 5', duration: 12h}]}"
    plain, own = loaded(tmp_path, "{}", "{min_age: null, windows: [], coalesce: 5m}", default=default)
    assert (plain.min_age, plain.max_changes) == (86400.0, ChangeRate(count=4, seconds=3600.0))
    assert [(item.kind, item.time_zone) for item in plain.windows] == [(WindowKind.DENY, "UTC")]
    assert (own.min_age, own.windows, own.coalesce, own.max_changes) == (None, (), 300.0, plain.max_changes)


def test_without_gates_nothing_is_asked(tmp_path):
    assert loaded(tmp_path, "null") == [NO_GATES]


@pytest.mark.parametrize(
    ("gates", "code", "place"),
    [
        ("{windows: [{kind: deny, schedule: '0 12 * * 7', duration: 1h}]}", "schedule", "windows[0].schedule"),
        ("{windows: [{kind: deny, schedule: '0 12 * * 5', duration: 1h, time_zone: Mars}]}", "time-zone", "windows[0].time_zone"),
        ("{windows: [{kind: deny, schedule: '0 12 * * 5'}]}", "missing-key", "windows[0].duration"),
        ("{max_changes: 0/h}", "rate", "max_changes"),
        ("{min_age: 3}", "wrong-type", "min_age"),
        ("{min_age: 3 days}", "duration", "min_age"),
        ("{minage: 3d}", "unknown-key", "minage"),
        ("{follows: {subscription: b}}", "missing-key", "follows.healthy_for"),
        ("{wait_while_busy: true}", "conflict", "wait_while_busy"),
    ],
)
def test_a_bad_gate_is_refused_with_its_line_and_a_hint(tmp_path, gates, code, place):
    (problem,) = problems(tmp_path, gates)
    assert (problem.code, problem.line) == (code, 7)
    assert problem.message.startswith(f"subscriptions[0].gates.{place}")
    assert problem.hint


def test_a_default_rate_counts_for_a_live_application_as_far_as_it_remembers(tmp_path):
    assert loaded(tmp_path, "{}", default="{max_changes: 40/h, min_age: 1d}", targets=LIVE)[0].max_changes is None
    assert loaded(tmp_path, "{}", default="{max_changes: 4/h}", targets=LIVE)[0].max_changes == ChangeRate(
        count=4, seconds=3600.0
    )


def test_a_rate_beyond_what_a_live_application_remembers_is_refused(tmp_path):
    (problem,) = problems(tmp_path, "{max_changes: 11/h}", targets=LIVE)
    assert (problem.code, problem.line) == ("rate", 4)
    assert "live Application" in problem.message
