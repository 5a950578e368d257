"""What is accepted is acted on: every key is read somewhere, or refused at load with the reason."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import updater
from tests.settings.making import problem_of, settings_of
from updater.settings.problems import trees_of
from updater.settings.tree import Settings

PACKAGE = Path(updater.__file__).parent
DEFINED = {PACKAGE / "settings" / name for name in ("fields.py", "schema.py", "environment.py")}
REFUSED = {"flux", "follows"}
CONSTANT = {"method"}  # of a signature: there is one value
READ_BEFORE = {"registries_conf", "from"}  # it is one more file, and read with them; no name can be `from`


def _trees(tree):
    yield tree
    for field in tree.model_fields.values():
        for below in trees_of(field.annotation):
            yield from _trees(below)


def test_every_key_is_read_by_some_part_of_the_program():
    read = {
        node.attr
        for path in PACKAGE.rglob("*.py")
        if path not in DEFINED
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    keys = {name for tree in _trees(Settings) for name in tree.model_fields}
    assert keys - read - REFUSED - CONSTANT - READ_BEFORE == set()


FOLLOWED = (
    "subscriptions: [{{key: a, image: b.c/d, policy: {{latest: {{}}}}, delivery: {{workload: Rollout/a/b, {}}}, targets: [{}]}}]"
)
GIT = "{git: {url: 'https://a.b/c'}, marker: 'a:b'}"
LIVE = "{argocd: {application: a/b}}"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("registries: [{prefix: a.b, credentials: 'cloud:aws'}]", "credential-unsupported", "registries[0].credentials"),
        ("git: {repositories: [{prefix: 'https://a/', credentials: 'cloud:gcp'}]}", "credential-unsupported", "git.repositories"),
        ("git: {signing: {key: 'cloud:azure'}}", "credential-unsupported", "git.signing.key"),
        ("sources: [{applications: {credentials: ['cloud:aws']}}]", "credential-unsupported", "sources[0].applications"),
        (FOLLOWED.format("on_bad: hold", LIVE), "not-yet", "subscriptions[0].delivery.on_bad"),
    ],
)
def test_what_no_part_of_this_version_does_is_refused_with_the_reason_and_its_line(text, code, place):
    problem = problem_of(text)
    assert (problem.code, problem.line) == (code, 1)
    assert problem.message.startswith(place)
    assert "not" in problem.message
    assert problem.hint


def test_null_asks_for_nothing():
    assert settings_of("listen: {web: null}").listen.web is None
