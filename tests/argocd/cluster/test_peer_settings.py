"""The ConfigMap of Argo CD Image Updater lies below the user's own files, key by key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.argocd.peer_settings import PeerSettings, open_problems, overlaid, read_peer_settings
from updater.errors import UpdaterError
from updater.model.image import parse_name
from updater.registry.endpoints import RegistryTable
from updater.settings import build_settings
from updater.settings.tree import Level, LogFormat
from updater.sources.file import commit_spec_of
from updater.writeback.message_trial import try_message

ORIGIN = "ConfigMap argocd/argocd-image-updater-config"
APPLICATIONS = "sources: [{applications: {}}]\n"
REGISTRIES = """
registries:
- name: Docker Hub
  api_url: https://registry-1.docker.io
  prefix: docker.io
  credentials: secret:argocd/hub#creds
  default: true
- name: Harbor
  api_url: https://harbor.example.org
  prefix: harbor.example.org/team
  limit: 10
"""
TEMPLATE = """build: automatic update of {{ .AppName }}

{{ range .AppChanges -}}
updates image {{ .Image }} tag '{{ .OldTag }}' to '{{ .NewTag }}'
{{ end -}}
"""


def read(**data: str) -> PeerSettings:
    return read_peer_settings({key.replace("__", "-").replace("_", "."): value for key, value in data.items()}, origin=ORIGIN)


def one(key: str, value: str) -> PeerSettings:
    return read_peer_settings({key: value}, origin=ORIGIN)


def settings_of(text: str = APPLICATIONS, **environ: str):
    return build_settings([("updater.yaml", text.encode())], {"HOME": "/home/somebody", **environ})


def told(peer: PeerSettings) -> list[tuple[str, int | None, str]]:
    assert all(problem.origin == ORIGIN and problem.hint for problem in peer.problems)
    return [(problem.path, problem.line, problem.code) for problem in peer.problems]


def test_a_whole_config_map_becomes_settings():
    data = {
        "interval": "5m0s",
        "log.level": "warn",
        "log.format": "text",
        "git.user": "Robot",
        "git.email": "robot@example.org",
        "git.commit-message-template": TEMPLATE,
        "git.commit-sign-off": "True",
        "kube.events": "true",
        "argocd.namespace": "gitops",
        "watch.namespaces": "argocd, team-a,",
        "registries.conf": REGISTRIES,
    }
    peer = read_peer_settings(data, origin=ORIGIN, try_message=try_message)
    assert peer.problems == ()
    made = overlaid(settings_of(), peer)
    assert made.interval == 300
    assert (made.log.level, made.log.format) == (Level.WARNING, LogFormat.CONSOLE)
    spec = commit_spec_of(made)
    assert (spec.name, spec.email, spec.message, spec.is_signed_off) == ("Robot", "robot@example.org", TEMPLATE, True)
    applications = made.applications
    assert applications is not None
    assert (applications.events, applications.argocd_namespace, applications.namespaces) == (
        False,
        "gitops",
        ("argocd", "team-a"),
    )
    table = RegistryTable(made.registry_entries)
    assert str(table.find(parse_name("nginx")).credentials) == "secret:argocd/hub#creds"
    assert table.find(parse_name("harbor.example.org/team/web")).rate == 10


def test_an_empty_config_map_changes_nothing():
    settings = settings_of()
    assert overlaid(settings, read_peer_settings({}, origin=ORIGIN)) == settings
    blank = {"interval": "", "log.level": " ", "registries.conf": "\n", "git.commit-message-template": "", "kube.events": ""}
    assert read_peer_settings(blank, origin=ORIGIN) == PeerSettings()


OWN = """
interval: 1m
log: {level: error}
git: {author: {name: ours}, message: "ours", sign_off: false}
registries:
  - {prefix: docker.io, url: "https://mirror.example.org"}
sources: [{applications: {events: true, namespaces: [ours]}}]
"""


def test_what_the_file_says_wins_value_by_value():
    peer = read_peer_settings(
        {
            "interval": "5m",
            "log.level": "debug",
            "log.format": "text",
            "git.user": "theirs",
            "git.email": "theirs@example.org",
            "git.commit-message-template": "theirs",
            "git.commit-sign-off": "true",
            "kube.events": "true",
            "watch.namespaces": "theirs",
            "argocd.namespace": "theirs",
            "registries.conf": REGISTRIES,
        },
        origin=ORIGIN,
    )
    made = overlaid(settings_of(OWN), peer)
    assert (made.interval, made.log.level, made.log.format) == (60, Level.ERROR, LogFormat.CONSOLE)
    assert (made.git.author.name, made.git.author.email) == ("ours", "theirs@example.org")
    assert (made.git.message, made.git.sign_off) == ("ours", False)
    applications = made.applications
    assert applications is not None
    assert (applications.events, applications.namespaces, applications.argocd_namespace) == (True, ("ours",), "theirs")
    assert [(entry.prefix, entry.url) for entry in made.registry_entries] == [
        ("docker.io", "https://mirror.example.org"),
        ("harbor.example.org/team", "https://harbor.example.org"),
    ]


def test_a_variable_of_the_environment_wins_too():
    assert overlaid(settings_of(UPDATER_INTERVAL="30s"), one("interval", "5m")).interval == 30


def test_the_settings_of_the_files_stay_what_they_were():
    settings = settings_of()
    peer = read_peer_settings({"interval": "5m", "registries.conf": REGISTRIES, "kube.events": "true"}, origin=ORIGIN)
    first = overlaid(settings, peer)
    assert (settings.interval, settings.registry_entries) == (120, ())
    assert overlaid(settings, one("interval", "7m")).interval == 420
    assert first.files == settings.files == ("updater.yaml",)


def test_there_is_one_default_registry_and_it_is_that_of_the_file(tmp_path):
    path = tmp_path / "registries.conf"
    path.write_text("registries:\n- {name: Own, api_url: 'https://own.example.org', default: true}\n")
    made = overlaid(settings_of(f"registries_conf: {path}\n"), one("registries.conf", REGISTRIES))
    assert RegistryTable(made.registry_entries).find(parse_name("nginx")).prefix == "own.example.org"


def test_without_a_source_of_applications_its_settings_go_nowhere():
    peer = read_peer_settings({"kube.events": "true", "interval": "5m"}, origin=ORIGIN)
    for text in ("interval: 1m\n", "sources: []\n"):
        made = overlaid(settings_of(text), peer)
        assert made.applications is None


@pytest.mark.parametrize(
    ("key", "value", "place", "expected"),
    [
        ("log.level", "TRACE", ("log", "level"), Level.DEBUG),
        ("log.level", "debug\n", ("log", "level"), Level.DEBUG),
        ("log.level", "error", ("log", "level"), Level.ERROR),
        ("log.format", "JSON", ("log", "format"), LogFormat.JSON),
        ("interval", "1h30m", ("interval",), 5400.0),
        ("git.user", "Ann\n Lee", ("git", "author", "name"), "Ann Lee"),
        ("kube.events", "false", ("sources", "applications", "events"), True),
        ("watch.namespaces", "*", ("sources", "applications", "namespaces"), ()),
        ("watch.namespaces", "a, b,a", ("sources", "applications", "namespaces"), ("a", "b")),
    ],
)
def test_a_value_is_read_as_the_peer_reads_it(key, value, place, expected):
    peer = one(key, value)
    assert (dict(peer.overlay), peer.problems) == ({place: expected}, ())


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("log.level", "warning", "bad-value"),
        ("log.level", "loud", "bad-value"),
        ("log.format", "xml", "bad-value"),
        ("interval", "120", "duration"),
        ("interval", "-1s", "duration"),
        ("interval", "0", "duration"),
        ("interval", "soon", "duration"),
        ("git.commit-sign-off", "yes", "bad-value"),
        ("kube.events", "1", "bad-value"),
        pytest.param("watch.namespaces", " , ", "bad-value", id="argo-182"),
        ("watch.namespaces", "a,*", "bad-value"),
        ("watch.namespaces", "Team_A", "bad-value"),
        ("argocd.namespace", "*", "bad-value"),
        ("git.commit-signing-key", "/app/ssh-keys/id_rsa", "peer-setting"),
        ("git.commit-method", "api", "not-yet"),
        pytest.param("git.commit-method", "API", "not-yet", id="argo-175"),
        ("applications_api", "argocd", "peer-setting"),
        ("webhook.enable", "true", "not-yet"),
        ("max.concurrent.apps", "10", "unknown-key"),
        ("registries.conf", "registries: [", "not-yaml"),
        ("registries.conf", "a: 1", "unknown-key"),
        ("git.commit-message-template", "{{ .AppName", "template"),
    ],
)
def test_a_value_that_would_mislead_is_a_problem_and_sets_nothing(key, value, code):
    peer = one(key, value)
    assert not peer.overlay
    assert peer.registries == ()
    assert [(problem.path, problem.code) for problem in peer.problems] == [(key, code)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("git.commit-method", "git"),
        ("git.commit-signing-method", "openpgp"),
        ("applications_api", "kubernetes"),
        ("argocd.grpc_web", "true"),
        ("argocd.token", "secret"),
        ("webhook.enable", "False"),
        ("webhook.port", "8082"),
        ("max_concurrent_apps", "999999"),
        ("tls.min-version", "1.2"),
        ("registries.conf", "# nothing yet\n"),
        ("registries.conf", "registries:\n"),
        ("registries.conf", "registries: []\n"),
    ],
)
def test_what_changes_nothing_is_not_talked_about(key, value):
    assert one(key, value) == PeerSettings()


def test_one_wrong_key_takes_no_other_with_it():
    peer = read_peer_settings({"log.level": "loud", "interval": "x", "git.user": "Robot", "nope": "1"}, origin=ORIGIN)
    assert dict(peer.overlay) == {("git", "author", "name"): "Robot"}
    assert told(peer) == [("interval", None, "duration"), ("log.level", None, "bad-value"), ("nope", None, "unknown-key")]


def test_a_broken_registry_is_named_by_its_line_and_none_is_used():
    """Half a list would send images to other registries than was meant."""
    peer = one("registries.conf", REGISTRIES + "  ratelimit: 3\n")
    assert told(peer) == [("registries.conf", 12, "unknown-key")]
    assert (peer.registries, peer.is_broken) == ((), True)


def test_two_spellings_of_one_registry_are_told_before_anything_uses_them():
    twice = REGISTRIES + "- {name: Again, api_url: 'https://index.docker.io', prefix: index.docker.io}\n"
    assert told(one("registries.conf", twice)) == [("registries.conf", None, "registry-entry")]
    assert one("registries.conf", twice).is_broken


def test_only_broken_registries_break_the_whole():
    assert not one("log.level", "loud").is_broken


def test_a_template_that_would_fail_at_the_first_commit_is_named_by_its_line():
    """The peer falls back to a text of its own; here a template that fails writes nothing, so it is tried before."""
    text = "chore: update {{ .AppName }}\n\nto {{ .NewImage }}"
    assert one("git.commit-message-template", text).overlay
    peer = read_peer_settings({"git.commit-message-template": text}, origin=ORIGIN, try_message=try_message)
    assert not peer.overlay
    assert [(problem.line, problem.message) for problem in peer.problems] == [
        (3, "can't evaluate field NewImage in type TemplateData")
    ]


@pytest.mark.parametrize(
    ("key", "hint"),
    [("log.leve", "did you mean 'log.level'?"), ("max.concurrent.apps", "did you mean 'max_concurrent_apps'?")],
)
def test_a_misspelt_key_gets_the_nearest_one(key, hint):
    assert one(key, "x").problems[0].hint == hint


def test_a_key_that_nobody_knows_is_not_compared_to_all_of_them():
    assert "neither" in one("git.credentials", "x").problems[0].hint


def test_a_value_that_is_no_text_is_told():
    assert told(read_peer_settings({"interval": 5}, origin=ORIGIN)) == [("interval", None, "wrong-type")]


def test_no_word_of_a_config_map_is_repeated_where_it_may_be_a_secret():
    data = dict.fromkeys(("log.level", "argocd.token", "git.commit-signing-key", "watch.namespaces", "nope"), "hunter2 hunter2")
    told = " ".join(f"{problem} {problem.hint}" for problem in read_peer_settings(data, origin=ORIGIN).problems)
    assert "hunter2" not in told


def test_what_the_file_settles_is_no_problem_any_more():
    peer = read_peer_settings(
        {"git.commit-signing-key": "/app/id_rsa", "log.level": "loud", "interval": "x", "webhook.enable": "true", "nope": "1"},
        origin=ORIGIN,
    )
    own = settings_of("interval: 1m\ngit: {signing: {key: 'file:/keys/id'}}\nlog: {format: json}\n")
    assert [problem.path for problem in open_problems(own, peer)] == ["log.level", "nope", "webhook.enable"]
    assert open_problems(settings_of(), peer) == peer.problems


def test_what_a_source_settles_is_no_problem_any_more():
    peer = one("watch.namespaces", ",")
    assert open_problems(settings_of("sources: [{applications: {namespaces: [a]}}]"), peer) == ()
    assert open_problems(settings_of(), peer) == open_problems(settings_of("sources: []"), peer) == peer.problems


@given(
    st.dictionaries(st.sampled_from(["interval", "log.level", "registries.conf", "git.commit-message-template", "x"]), st.text())
)
def test_whatever_stands_there_is_read_without_an_error(data):
    peer = read_peer_settings(data, origin=ORIGIN, try_message=try_message)
    try:
        RegistryTable(overlaid(settings_of(), peer).registry_entries)
    except UpdaterError as error:  # pragma: no cover - the promise itself
        raise AssertionError(data) from error
