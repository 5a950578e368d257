"""What the settings of webhooks accept, and how each fault is named."""

from __future__ import annotations

import pytest

from tests.settings.making import problem_of, settings_of
from updater.model.webhook import WebhookKind

LISTEN = 'listen: {web: "0.0.0.0:8090"}\n'


def test_a_webhook_has_a_name_a_kind_and_a_secret():
    (hook,) = settings_of(LISTEN + 'web: {webhooks: [{name: hub, kind: docker-hub, secret: "env:HUB"}]}').web.webhooks
    assert (hook.name, hook.kind, str(hook.secret), hook.registry) == ("hub", WebhookKind.DOCKER_HUB, "env:HUB", None)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("[{name: a/b, kind: generic, secret: 'env:S'}]", "webhook-name", "web.webhooks[0].name"),
        ("[{name: a, kind: generic, secret: 'env:S'}, {name: a, kind: quay, secret: 'env:S'}]", "duplicate-key", "web.webhooks"),
        ("[{name: a, kind: generic, secret: s3cret}]", "credential-ref", "web.webhooks[0].secret"),
        ("[{name: a, kind: ecr-sns, secret: 'env:S'}]", "missing-key", "web.webhooks[0].topic"),
        ("[{name: a, kind: ecr-sns, secret: 'env:S', topic: 'arn:aws:sqs:x'}]", "topic", "web.webhooks[0].topic"),
        (
            "[{name: a, kind: ecr, secret: 'env:S', topic: 'arn:aws:sns:eu-west-1:111122223333:t'}]",
            "conflict",
            "web.webhooks[0].topic",
        ),
        ("[{name: a, kind: zot, secret: 'env:S', registry: 'https://r.example'}]", "image-syntax", "web.webhooks[0].registry"),
        ("[{name: a, kind: flagger, secret: 'env:S', registry: r.example}]", "conflict", "web.webhooks[0].registry"),
        ("[{name: a, kind: hub, secret: 'env:S'}]", None, "web.webhooks[0].kind"),
        ("[{name: a, kind: google, secret: 'env:S', account: a@p.iam}]", "missing-key", "web.webhooks[0].audience"),
        ("[{name: a, kind: google, secret: 'env:S', audience: updater}]", "conflict", "web.webhooks[0].audience"),
        ("[{name: a, kind: ecr, secret: 'env:S', account: a@p.iam, audience: u}]", "conflict", "web.webhooks[0].account"),
        ("[{name: a, kind: zot}]", "missing-key", "web.webhooks[0].secret"),
    ],
)
def test_a_fault_of_a_webhook_is_named_with_its_place(text, code, place):
    problem = problem_of(f"{LISTEN}web: {{webhooks: {text}}}")
    assert problem.message.startswith(place)
    assert code in {None, problem.code}
    assert "s3cret" not in problem.message


def test_webhooks_that_nobody_receives_are_refused():
    problem = problem_of("web: {webhooks: [{name: a, kind: generic, secret: 'env:S'}]}")
    assert (problem.code, problem.hint) == ("conflict", 'add listen: {web: "0.0.0.0:8090"}')


def test_a_longer_interval_needs_webhooks_and_is_a_day_at_most():
    assert problem_of("interval_with_webhooks: 30m").code == "conflict"
    hooks = LISTEN + "web: {webhooks: [{name: a, kind: generic, secret: 'env:S'}]}\n"
    assert problem_of(hooks + "interval_with_webhooks: 25h").code == "duration"
    assert settings_of(hooks + "interval_with_webhooks: 1d").interval_with_webhooks == 86400.0
