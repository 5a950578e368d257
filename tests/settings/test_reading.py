"""Files and the environment become one tree, by rules that a person can keep in mind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.settings.making import SUBSCRIPTION, problem_of, problems_of, settings_of
from updater.errors import ConfigError
from updater.model.subscription import Form
from updater.settings import build_settings, find_files, load_settings


def test_nothing_at_all_is_the_defaults():
    found = settings_of("", "# only a comment\n")
    assert found.interval == 120.0
    assert found.subscriptions == ()
    assert found.state == "/home/me/.local/state/updater"
    assert str(found.listen.metrics) == "127.0.0.1:8080"
    assert found.git.author.name == "updater"
    assert found.registry_entries == ()


def test_metrics_are_served_to_everybody_only_in_a_pod_or_where_that_is_set(monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert str(settings_of("").listen.metrics) == "0.0.0.0:8080"
    assert str(settings_of("listen: {metrics: '127.0.0.1:9'}\n").listen.metrics) == "127.0.0.1:9"
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert str(settings_of("listen: {}\n").listen.metrics) == "127.0.0.1:8080"
    assert str(settings_of("listen: {metrics: '0.0.0.0:8080'}\n").listen.metrics) == "0.0.0.0:8080"


def test_maps_merge_deep_and_lists_replace():
    found = settings_of(
        "git: {author: {name: a, email: a@x}, message: m}\ntext_markers: ['*.a', '*.b']\n",
        "git: {author: {name: b}}\ntext_markers: ['*.c']\n",
    )
    assert (found.git.author.name, found.git.author.email, found.git.message) == ("b", "a@x", "m")
    assert found.text_markers == ("*.c",)


def test_null_replaces_what_an_earlier_file_said():
    assert settings_of("listen: {metrics: 'h:1'}", "listen: {metrics: null}").listen.metrics is None


def test_a_problem_names_the_file_it_came_from():
    found = problems_of("git: {author: {name: 1}}\n", "\ngit: {author: {email: 2}, x: 1}\n")
    assert [(item.path, item.line) for item in found] == [("/conf/0.yaml", 1), ("/conf/1.yaml", 2), ("/conf/1.yaml", 2)]


def test_a_map_over_a_list_replaces_it():
    assert problem_of("text_markers: ['*.a']\n", "text_markers: {a: b}\n").path == "/conf/1.yaml"


def test_anchors_may_be_shared_between_targets_with_paths():
    found = settings_of(
        "subscriptions:\n"
        + "".join(
            f"  - {{key: {key}, image: a/{key}, policy: {{latest: {{}}}}, targets: [{{git: {git}, marker: 'n:{key}'}}]}}\n"
            for key, git in (("a", "&g {url: ./fleet}"), ("b", "*g"))
        )
    )
    assert [item.targets[0].git.url for item in found.subscriptions] == ["/conf/fleet", "/conf/fleet"]


@pytest.mark.parametrize(
    ("name", "value", "read", "expected"),
    [
        ("UPDATER_GIT__AUTHOR__NAME", "me", lambda s: s.git.author.name, "me"),
        ("UPDATER_GIT__AUTHOR__NAME", "123", lambda s: s.git.author.name, "123"),
        ("UPDATER_INTERVAL", "30s", lambda s: s.interval, 30.0),
        ("UPDATER_STATE", "~/x", lambda s: s.state, "/home/me/x"),
        ("UPDATER_LOG__LEVEL", "debug", lambda s: s.log.level, "debug"),
        ("UPDATER_LISTEN__METRICS", "null", lambda s: s.listen.metrics, None),
        ("UPDATER_LISTEN__METRICS", ":9", lambda s: str(s.listen.metrics), ":9"),
        ("UPDATER_TEXT_MARKERS", '["*.a", "*.b"]', lambda s: s.text_markers, ("*.a", "*.b")),
        ("UPDATER_GIT__MESSAGE", "{{ .x }}", lambda s: s.git.message, "{{ .x }}"),
        ("UPDATER_GIT__MESSAGE", "null", lambda s: s.git.message, None),
        ("UPDATER_GIT__SIGNING__KEY", "file:/k", lambda s: str(s.git.signing.key), "file:/k"),
    ],
)
def test_a_variable_overrides_a_setting(name, value, read, expected):
    assert read(settings_of("interval: 1m\nlog: {level: error}\n", **{name: value})) == expected


@pytest.mark.parametrize(
    "name",
    [
        "UPDATER_REQUIRE_REAL",
        "UPDATER_REAL_PARTS",
        "UPDATER_SERVICE_HOST",
        "UPDATER_PORT",
        "UPDATER_GIT",
        "UPDATER_SUBSCRIPTIONS",
        "UPDATER",
    ],
)
def test_a_name_without_two_underscores_that_is_no_plain_setting_is_left_alone(name):
    assert settings_of("", **{name: "1"}) == settings_of("")


@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [
        ("UPDATER_GIT__AUTOR__NAME", "unknown-key", "did you mean 'author'?"),
        ("UPDATER_GITT__AUTHOR", "unknown-key", "did you mean 'git'?"),
        ("UPDATER_GIT__AUTHOR__NAME__X", "unknown-key", "no keys"),
        ("UPDATER_GIT__AUTHOR", "wrong-type", "name, email"),
        ("UPDATER_REGISTRIES__0__PREFIX", "unknown-key", "configuration file"),
        ("UPDATER_GIT__REPOSITORIES", "unknown-key", "configuration file"),
        ("UPDATER_TEXT_MARKERS__0", "unknown-key", "configuration file"),
        ("UPDATER___", "unknown-key", ""),
    ],
)
def test_a_path_that_is_no_setting_is_a_problem_with_the_name_of_the_variable(name, code, hint):
    found = problem_of("", **{name: "x"})
    assert (found.path, found.line, found.code) == (name, None, code)
    assert hint in found.hint


def test_a_wrong_value_in_a_variable_names_the_variable():
    found = problem_of("log: {level: info}\n", UPDATER_LOG__LEVEL="inf")
    assert (found.path, found.line, found.code) == ("UPDATER_LOG__LEVEL", None, "bad-value")


@pytest.mark.parametrize("value", ["*.a", "[", "{a: b}"])
def test_a_variable_for_a_list_that_holds_none_is_refused(value):
    assert problem_of("", UPDATER_TEXT_MARKERS=value).code == "wrong-type"


def test_paths_start_at_the_folder_of_the_file_that_names_them():
    found = settings_of(
        "state: work\nregistries: [{prefix: a.b, ca: ca.pem, client_certificate: /abs.pem}]\n"
        "git: {repositories: [{prefix: ./fleet, known_hosts: ~/.ssh/known_hosts}]}\n"
    )
    assert found.state == "/conf/work"
    assert (found.registries[0].ca, found.registries[0].client_certificate) == ("/conf/ca.pem", "/abs.pem")
    assert (found.git.repositories[0].prefix, found.git.repositories[0].known_hosts) == (
        "/conf/fleet",
        "/home/me/.ssh/known_hosts",
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://git.example.org/fleet.git", "https://git.example.org/fleet.git"),
        ("http://git.example.org:8080/fleet.git", "http://git.example.org:8080/fleet.git"),
        ("ssh://git@git.example.org:22/fleet.git", "ssh://git@git.example.org:22/fleet.git"),
        ("git@git.example.org:team/fleet.git", "git@git.example.org:team/fleet.git"),
        ("host:fleet.git", "host:fleet.git"),
        ("https://me@git.example.org/fleet.git", "https://me@git.example.org/fleet.git"),
        ("/srv/fleet.git", "/srv/fleet.git"),
        ("./fleet.git", "/conf/fleet.git"),
        ("../fleet.git", "/fleet.git"),
        ("~/fleet.git", "/home/me/fleet.git"),
        ("file:///srv/fleet.git", "/srv/fleet.git"),
    ],
)
def test_every_form_of_git_url_is_read(url, expected):
    assert (
        settings_of(SUBSCRIPTION.replace("https://git.example.org/fleet.git", url)).subscriptions[0].targets[0].git.url
        == expected
    )


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("https://git.example.org/team/x.git", "https://git.example.org/team"),
        ("https://git.example.org/team", "https://git.example.org/team"),
        ("https://git.example.org/team.git", "https://git.example.org/team"),
        ("https://GIT.example.org/team/x", "https://git.example.org/team"),
        ("https://me@git.example.org/team/x", "https://git.example.org/team"),
        ("https://git.example.org/teammate/x", "https://git.example.org/"),
        ("https://git.example.org/", "https://git.example.org/"),
        ("https://git.example.org:8443/team/x", None),
        ("https://git.example.org.evil.example/team", None),
        ("https://host/x", "https://host"),
        ("https://host:8443/x", None),
        ("https://host@evil.example/x", None),
        ("git@git.example.org:team/x", "git@git.example.org"),
        ("git@git.example.org:infra/x", "git@git.example.org:infra"),
        ("git@git.example.org:infrared/x", "git@git.example.org"),
        ("http://git.example.org/team/x", None),
        ("/srv/git/x", "/srv/git"),
        ("/srv/gitx", None),
    ],
)
def test_the_longest_prefix_wins_and_only_at_a_boundary(url, prefix):
    prefixes = [
        "https://git.example.org/",
        "https://git.example.org/team",
        "https://host",
        "git@git.example.org",
        "git@git.example.org:infra",
        "/srv/git",
    ]
    listed = "".join(f"    - prefix: {item}\n" for item in prefixes)
    found = settings_of(f"git:\n  repositories:\n{listed}").repository_for(url)
    assert (found.prefix if found else None) == prefix


def test_a_source_may_be_written_with_nothing_behind_it():
    (source,) = settings_of("sources:\n  - applications:\n").sources
    assert source.applications.namespaces == ()


def test_booleans_may_be_spelled_as_people_do():
    assert settings_of("registries: [{prefix: a.b, insecure: yes}]").registries[0].insecure is True


def test_null_options_of_a_policy_count_as_left_out():
    text = SUBSCRIPTION.replace('{range: ">=1.0.0"}', "{range: null, prerelease: true}")
    assert dict(settings_of(text).subscriptions[0].policy.options) == {"prerelease": True}
    assert settings_of(SUBSCRIPTION.replace('{range: ">=1.0.0"}', "")).subscriptions[0].policy.options == {}


def test_a_target_may_have_its_own_form():
    text = SUBSCRIPTION + "        form: digest\n"
    assert settings_of(text).subscriptions[0].targets[0].form is Form.DIGEST


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        settings_of("").interval = 3.0


def test_files_are_found_where_none_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        find_files(())
    assert caught.value.code == "no-configuration"
    (tmp_path / "updater.yaml").write_text("interval: 5m\n")
    assert load_settings((), {}).interval == 300.0
    assert find_files((), folder=tmp_path) == (tmp_path / "updater.yaml",)
    assert find_files((Path("x"),)) == (Path("x"),)


def test_a_named_file_that_is_absent_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_settings([tmp_path / "absent.yaml"], {})


def test_the_home_folder_is_found_without_the_variable():
    assert build_settings([], {}).state.endswith("/.local/state/updater")


@pytest.mark.parametrize("arguments", [["version"], ["check", "--help"]])
def test_commands_that_read_no_configuration_do_not_load_the_settings(arguments):
    code = (
        "import sys; from updater.cli.main import run_cli\n"
        f"code = run_cli({arguments!r})\n"
        "assert not {'pydantic', 'updater.settings'} & set(sys.modules), 'loaded'\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "loaded" not in done.stderr
