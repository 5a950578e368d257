"""Everything that is wrong with a file is said at once, each with file, line, key and hint."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.settings.making import SUBSCRIPTION, problem_of, problems_of, settings_of
from updater.errors import ConfigError
from updater.settings import build_settings

BROKEN = """\
intervall: 2m
interval: 120
listen: {metrics: "x", web: 8080}
log: {level: inf, format: xml}
registries:
  - {prefix: r.example.org, url: "http://r.example.org", rate: 50, concurrency: 0}
  - {prefix: s.example.org, url: "http://s.example.org"}
  - {prefix: s.example.org, credentials: "me:hunter2"}
git:
  author: {nam: x, email: 3}
  message: "{{ .Foo "
  repositories:
    - {prefix: "https://u:hunter2@git.example.org/"}
sources:
  - fluxx: {}
  - flux: {evens: true}
text_markers: "*.env"
subscriptions:
  - key: a
    image: ghcr.io/x:1
    policy: {semvr: {range: ">=1"}}
    filter: {allow: "(", ignore: ["regexp:["]}
    platforms: [amd64]
    variant: loc
    form: tagg
    targets:
      - git: {url: https://git.example.org/fleet.git, path: ../x}
        marker: a/b
      - git: {url: https://git.example.org/fleet.git}
        argocd: {application: a/b}
  - key: a
    image: "::"
    policy: {semver: {range: ">==x", prereleas: true}}
    interval: 5 minutes
    allow_downgrade: maybe
    targets: []
  - foo
  - policy: {semver: {range: ">==1"}}
    targets:
      - git: {url: fleet}
        helm: {name: a}
a: 1
a: 2
"""
EXPECTED = [
    (1, "unknown-key", "intervall", "did you mean 'interval'?"),
    (2, "wrong-type", "interval", "such as 2m|like 2m"),
    (3, "address", "listen.metrics", "host:port"),
    (3, "wrong-type", "listen.web", ""),
    (4, "bad-value", "log.level", "did you mean 'info'?"),
    (4, "bad-value", "log.format", ""),
    (6, "wrong-type", "registries[0].rate", "50/s"),
    (6, "bad-value", "registries[0].concurrency", ""),
    (7, "registry-entry", "registries[1]", "insecure: true"),
    (8, "duplicate", "registries[2].prefix", "line 7"),
    (8, "credential-ref", "registries[2].credentials", "env:VARIABLE"),
    (10, "wrong-type", "git.author.email", "quotes"),
    (10, "unknown-key", "git.author.nam", "did you mean 'name'?"),
    (11, "template", "git.message", ""),
    (13, "secret", "git.repositories[0].prefix", "credentials:"),
    (15, "unknown-key", "sources[0].fluxx", "did you mean 'flux'?"),
    (16, "unknown-key", "sources[1].flux.evens", "did you mean 'events'?"),
    (17, "wrong-type", "text_markers", ""),
    (20, "image-syntax", "subscriptions[0].image", "ghcr.io/x"),
    (21, "policy", "subscriptions[0].policy.semvr", "did you mean 'semver'?"),
    (22, "policy", "subscriptions[0].filter.allow", ""),
    (22, "policy", "subscriptions[0].filter.ignore[0]", ""),
    (23, "image-syntax", "subscriptions[0].platforms[0]", "linux/arm64"),
    (24, "bad-value", "subscriptions[0].variant", "did you mean 'lock'?"),
    (25, "bad-value", "subscriptions[0].form", "did you mean 'tag'?"),
    (27, "path", "subscriptions[0].targets[0].git.path", "root"),
    (28, "marker", "subscriptions[0].targets[0].marker", "namespace:policy"),
    (29, "target", "subscriptions[0].targets[1]", "two targets"),
    (31, "duplicate", "subscriptions[1].key", "line 19"),
    (32, "image-syntax", "subscriptions[1].image", ""),
    (33, "unknown-key", "subscriptions[1].policy.semver.prereleas", "did you mean 'prerelease'?"),
    (33, "policy", "subscriptions[1].policy.semver.range", ""),
    (34, "duration", "subscriptions[1].interval", "1h30m"),
    (35, "wrong-type", "subscriptions[1].allow_downgrade", ""),
    (36, "empty", "subscriptions[1].targets", ""),
    (37, "wrong-type", "subscriptions[2]", ""),
    (38, "missing-key", "subscriptions[3].key", "unique"),
    (38, "missing-key", "subscriptions[3].image", ""),
    (38, "policy", "subscriptions[3].policy.semver.range", ""),
    (40, "git-url", "subscriptions[3].targets[0].git.url", "./fleet"),
    (41, "helm-keys", "subscriptions[3].targets[0].helm", "image.tag"),
    (42, "unknown-key", "a", ""),
    (43, "duplicate-key", "", "line 42"),
]


@pytest.fixture(scope="module")
def everything():
    return problems_of(BROKEN)


@pytest.mark.parametrize(("line", "code", "place", "hint"), EXPECTED, ids=[f"{code}-{place}" for _, code, place, _ in EXPECTED])
def test_each_fault_is_said_with_its_line_and_hint(everything, line, code, place, hint):
    found = [
        item
        for item in everything
        if item.code == code and item.line == line and item.message.startswith(f"{place}: " if place else "the key")
    ]
    assert len(found) == 1, [str(item) for item in everything]
    assert any(part in found[0].hint for part in hint.split("|"))
    assert found[0].path == "/conf/0.yaml"


def test_nothing_else_is_said_and_the_order_is_that_of_the_file(everything):
    assert len(everything) == len(EXPECTED), [str(item) for item in everything]
    assert [item.line for item in everything] == sorted(item.line for item in everything)


def test_no_secret_is_repeated(everything):
    assert not [item for item in everything if "hunter2" in f"{item.message}{item.hint}"]


@pytest.mark.parametrize(
    "secret",
    [
        "hunter2",
        "me:hunter2",
        "env:hunter2-",
        "file:hunter2",
        "secret:hunter2",
        "ghp_hunter2",
        "hunter2:x-oauth-basic",
        "cloud:hunter2",
    ],
)
def test_a_secret_in_place_of_a_reference_is_refused_and_not_repeated(secret):
    for text in (
        f'registries: [{{prefix: r.example.org, credentials: "{secret}"}}]',
        f'git: {{signing: {{key: "{secret}"}}}}',
        f'git: {{repositories: [{{prefix: "https://h/", credentials: "{secret}"}}]}}',
    ):
        found = problem_of(text)
        assert found.code == "credential-ref"
        assert "hunter2" not in f"{found}{found.hint}"
        assert found.hint


def test_sizes_have_units_and_the_memory_holds_the_largest_object():
    """A limit that can never be met would refuse every repository."""
    assert problem_of("git: {limits: {pack: 12}}").code == "wrong-type"
    assert "12MiB" in problem_of('git: {limits: {pack: "12"}}').hint
    assert problem_of("git: {limits: {pack: 1KB}}").code == "size"
    assert problem_of("git: {limits: {pack: 9999GiB}}").code == "size"
    assert problem_of("git: {limits: {object: 40MiB}}").code == "size"


@pytest.mark.parametrize(
    "text",
    [
        'registries: [{prefix: r.example.org, url: "https://u:hunter2@r.example.org"}]',
        'git: {repositories: [{prefix: "https://h/", proxy: "http://u:hunter2@p:1"}]}',
        SUBSCRIPTION.replace("https://git", "https://u:hunter2@git"),
        SUBSCRIPTION.replace("https://git", "https://ghp_hunter2@git"),
        SUBSCRIPTION.replace("https://git.example.org/fleet.git", "me:hunter2@host:fleet.git"),
        'git: {repositories: [{prefix: "me:hunter2@host:"}]}',
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(text):
    found = problem_of(text)
    assert found.code == "secret"
    assert "hunter2" not in f"{found}{found.hint}"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('{semver: {range: ">=1.0.0"}}', "semver", "policy"),
        ('{semver: {range: ">=1.0.0"}}', "{semver: {}, latest: {}}", "policy"),
        ('{semver: {range: ">=1.0.0"}}', "{semver: 1}", "policy"),
        ('{semver: {range: ">=1.0.0"}}', '{semver: {range: ""}}', "policy"),
        ('{semver: {range: ">=1.0.0"}}', "{semver: {range: 1}}", "wrong-type"),
        ('{semver: {range: ">=1.0.0"}}', "{name: {order: up}}", "wrong-type"),
        ('{semver: {range: ">=1.0.0"}}', "{digest: {}}", "policy"),
        ('{semver: {range: ">=1.0.0"}}', "{latest: {order: asc}}", "unknown-key"),
        ("        marker: flux-system:myapp", "", "target"),
        ("        marker: flux-system:myapp", "        marker: a:b\n        kustomize: {}", "target"),
        ("        marker: flux-system:myapp", "        helm: {tag: b}", "missing-key"),
        ("        marker: flux-system:myapp", "        helm: {file: v.yaml}", "helm-keys"),
        ("        marker: flux-system:myapp", "        helm: {file: v.yaml, name: a}", "helm-keys"),
        ("        marker: flux-system:myapp", "        helm: {file: v.yaml, spec: a, tag: b}", "helm-keys"),
        ("        marker: flux-system:myapp", "        helm: {file: v.yaml, spec: a, digest: b}", "helm-keys"),
        ("        marker: flux-system:myapp", "        helm: {file: /v.yaml, tag: b}", "path"),
        ("        marker: flux-system:myapp", "        kustomize: {path: .git/x}", "path"),
        (
            "      - git: {url: https://git.example.org/fleet.git}\n        marker: flux-system:myapp",
            "      - marker: a:b",
            "target",
        ),
        (
            "      - git: {url: https://git.example.org/fleet.git}\n        marker: flux-system:myapp",
            "      - argocd: {application: x}",
            "application",
        ),
        ("fleet.git}", "fleet.git, branch: 'a..b'}", "branch"),
        ("https://git.example.org/fleet.git", "ftp://git.example.org/fleet.git", "git-url"),
        ("https://git.example.org/fleet.git", "'https://'", "git-url"),
        ("https://git.example.org/fleet.git", "'https://h:port/x'", "git-url"),
        ("https://git.example.org/fleet.git", "'a b'", "git-url"),
        ("key: myapp", "key: ' '", "empty"),
        ("key: myapp", "key: null", "wrong-type"),
        ("key: myapp", "key: [a]", "wrong-type"),
        ("key: myapp", "key: myapp\n    filter: {extract: '$1'}", "policy"),
        ("key: myapp", "key: myapp\n    filter: {allow: 'v(.*)', extract: '$7'}", "policy"),
    ],
)
def test_a_subscription_that_cannot_be_meant_is_refused(old, new, code):
    assert old in SUBSCRIPTION
    found = problem_of(SUBSCRIPTION.replace(old, new))
    assert found.code == code
    assert found.line
    assert found.message.startswith("subscriptions[0]")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("sources: [{}]", "source"),
        ("sources: [{flux: {}, applications: {}}]", "source"),
        ("sources: [{flux: {events_address: 'ftp://x'}}]", "url"),
        ("sources: [{flux: {while_flux_runs: run}}]", "bad-value"),
        ("sources: [{flux: {x: 1}}]", "unknown-key"),
        ("text_markers: ['/abs']", "glob"),
        ("text_markers: ['']", "glob"),
        ("git: {repositories: [{prefix: ''}]}", "git-url"),
        ("git: {repositories: [{prefix: 'gopher://x'}]}", "git-url"),
        ("git: {signing: {method: x509, key: 'file:/k'}}", "bad-value"),
        ("registries: [{prefix: a.b, concurrency: many}]", "wrong-type"),
        ("registries: [{prefix: a.b, concurrency: 99999}]", "bad-value"),
        ("registries: [{prefix: a.b, url: 'ftp://a'}]", "url"),
        ("registries: [{prefix: docker.io}, {prefix: index.docker.io}]", "registry-entry"),
        ("registries: {prefix: a}", "wrong-type"),
        ("log: {level: null}", "bad-value"),
        ("listen: {metrics: 'a:b:80'}", "address"),
        ("listen: {metrics: 'h:99999'}", "address"),
        ("interval: 0s", "duration"),
        ("interval: 400d", "duration"),
        ("git: {author: {'a b': 1}}", "unknown-key"),
        ("- a\n", "wrong-type"),
        ("a: 1\n---\nb: 2\n", "documents"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(text, code):
    found = problems_of(text)
    assert code in {item.code for item in found}
    assert all(item.line for item in found)


def test_an_error_of_syntax_is_the_only_thing_said():
    assert problem_of("a: [\n").code == "not-yaml"


@given(st.binary(max_size=300))
def test_no_bytes_cause_anything_but_a_config_error(data):
    try:
        build_settings([("f", data)], {})
    except ConfigError as error:
        found = error.problems
    else:
        return
    assert found


_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["main", "a/b", "./x", "semver", "env:X"])
)
_KEYS = st.sampled_from(
    [
        "subscriptions",
        "git",
        "registries",
        "key",
        "targets",
        "url",
        "policy",
        "filter",
        "helm",
        "sources",
        "flux",
        "prefix",
        "interval",
    ]
)
_TREES = st.recursive(_LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(_KEYS, x, max_size=4), max_leaves=12)


@given(st.dictionaries(_KEYS, _TREES, max_size=4))
def test_no_shape_of_known_keys_causes_anything_but_a_config_error(tree):
    try:
        settings_of(json.dumps(tree))
    except ConfigError as error:
        found = error.problems
    else:
        return
    assert all(item.message and item.code for item in found)


def test_a_kind_of_source_is_named_once():
    problem = problem_of("sources: [{applications: {}}, {applications: {}}]\n")
    assert (problem.code, problem.message) == ("source", "sources[1]: applications is named twice")
