"""Argo CD Image Updater's registries.conf is read as it is."""

from __future__ import annotations

import ssl

import pytest

from tests.settings.making import problem_of, problems_of, settings_of
from updater.errors import ConfigError
from updater.model.credential import parse_credential_ref
from updater.model.image import parse_name
from updater.registry.endpoints import RegistryTable
from updater.settings import load_settings
from updater.settings.registries_conf import is_registries_conf, read_registries_conf

FULL = """
registries:
- name: Docker Hub
  api_url: https://registry-1.docker.io/
  prefix: docker.io
  ping: yes
  credentials: secret:argocd/hub#creds
  credsexpire: 5h30m
  defaultns: library
  default: true
  limit: 10
- name: Own
  api_url: http://registry.example.org:5000
  prefix: registry.example.org/team
  insecure: yes
  tagsortmode: latest-first
  ca_file: /certs/ca.pem
- name: Bare
  api_url: https://quay.io
  limit: -1
  ping: no
"""


def read(text: str):
    return read_registries_conf("registries.conf", text.encode())


def codes(text: str) -> list[tuple[str, int | None]]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert all(item.hint or item.code == "wrong-type" for item in caught.value.problems)
    return [(item.code, item.line) for item in caught.value.problems]


def test_every_key_becomes_what_it_means_here():
    hub, own, bare = read(FULL)
    assert (hub.prefix, hub.url, hub.is_default, hub.default_namespace) == (
        "docker.io",
        "https://registry-1.docker.io",
        True,
        "library",
    )
    assert (hub.credentials, hub.credentials_lifetime, hub.rate) == (
        parse_credential_ref("secret:argocd/hub#creds"),
        19800.0,
        10.0,
    )
    assert (own.prefix, own.insecure, own.ca) == ("registry.example.org/team", True, "/certs/ca.pem")
    assert (bare.prefix, bare.rate, bare.insecure) == ("quay.io", None, False)


def test_plain_http_is_fine_where_the_peer_takes_it():
    (entry,) = read("registries: [{name: a, api_url: 'http://a.example.org', prefix: a.example.org}]")
    assert entry.insecure
    assert RegistryTable((entry,)).locate(parse_name("a.example.org/x")).url == "http://a.example.org"


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        pytest.param("{api_url: 'https://a.b', prefix: a}", "missing-key", id="argo-084"),
        pytest.param("{name: a, prefix: a, default: false}", "missing-key", id="argo-085"),
        pytest.param("{name: a, api_url: 'https://a.b', tagsortmode: newest}", "bad-value", id="argo-088-other"),
        ("{name: a, api_url: 'https://a.b', prefx: a}", "unknown-key"),
        ("{name: a, api_url: 'https://u:p@a.b'}", "secret"),
        ("{name: a, api_url: a.b}", "url"),
        ("{name: Hub, api_url: 'https://index.docker.io/v1/'}", "url"),
        ("{name: a, api_url: 'https://a.b/base/v2'}", "url"),
        ("{name: a, api_url: 'https://a.b', credentials: 'u:p'}", "credential-ref"),
        ("{name: a, api_url: 'https://a.b', credsexpire: soon}", "duration"),
        ("{name: a, api_url: 'https://a.b', credsexpire: 5}", "duration"),
        ("{name: a, api_url: 'https://a.b', ca_data: nonsense}", "certificate"),
        (
            "{name: a, api_url: 'https://a.b', ca_data: '-----BEGIN CERTIFICATE-----\\n!\\n-----END CERTIFICATE-----'}",
            "certificate",
        ),
        ("{name: a, api_url: 'https://a.b', limit: many}", "wrong-type"),
        ("nonsense", "wrong-type"),
    ],
)
def test_what_the_peer_refuses_is_refused_with_its_line(entry, code):
    assert codes(f"registries:\n- {entry}\n") == [(code, 2)]


@pytest.mark.parametrize(
    "mode", [pytest.param(mode, id=f"argo-088-{mode or 'empty'}") for mode in ("latest-first", "latest-last", "none", "")]
)
def test_the_sort_modes_of_the_peer_are_accepted(mode):
    assert len(read(f"registries: [{{name: a, api_url: 'https://a.b', tagsortmode: '{mode}'}}]")) == 1


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param("", id="argo-086"),
        pytest.param("prefix: a.b/{n}, default: true", id="argo-087"),
        pytest.param("prefix: a.b", id="same-prefix"),
    ],
)
def test_two_entries_that_claim_the_same_are_refused(claim):
    entries = "".join(f"- {{name: n{n}, api_url: 'https://a{n}.b', {claim.replace('{n}', str(n))}}}\n" for n in (1, 2))
    assert codes(f"registries:\n{entries}") == [("registry-entry", 3)]


def test_the_longest_prefix_wins():
    """Restates argo-089."""
    entries = read(
        "registries:\n- {name: a, api_url: 'https://one.bar', prefix: foo.bar/prefix1}\n"
        "- {name: b, api_url: 'https://two.bar', prefix: foo.bar/prefix1/sub-prefix}\n"
    )
    assert RegistryTable(entries).locate(parse_name("foo.bar/prefix1/sub-prefix/image")).url == "https://two.bar"


def test_the_address_of_dockers_configuration_is_refused_with_the_one_that_is_asked():
    (problem,) = problems_of(
        "subscriptions: []\n", "registries: [{name: Hub, api_url: 'https://index.docker.io/v1/', prefix: docker.io}]\n"
    )
    assert "/v1" in problem.message
    assert "https://registry-1.docker.io" in problem.hint
    assert problem_of("registries: [{prefix: a.b, url: 'https://a.b/v2/'}]\n").code == "url"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            "{name: corp, prefix: registry.corp, api_url: 'http://10.1.2.3:5000'}",
            "registry.corp is not the host of api_url, 10.1.2.3:5000",
        ),
        ("{name: corp, prefix: corp, api_url: 'http://corp'}", None),
        ("{name: corp, prefix: corp, api_url: 'http://registry.corp'}", "corp is not a registry host"),
        ("{name: hub, prefix: docker.io, api_url: 'https://registry-1.docker.io'}", None),
        ("{name: a, prefix: a.b/team, api_url: 'https://a.b'}", None),
        ("{name: a, api_url: 'https://a.b'}", None),
    ],
)
def test_a_prefix_that_is_not_the_host_of_the_api_is_said_and_keeps_nothing_from_working(entry, said):
    found = settings_of("subscriptions: []\n", f"registries:\n- {entry}\n")
    assert len(found.registry_entries) == 1
    assert [(item.line, item.code) for item in found.remarks] == ([(2, "registry-prefix")] if said else [])
    assert all(said in item.message for item in found.remarks)


def test_certificates_may_stand_in_the_file(tmp_path):
    pem = _pem()
    lines = "".join(f"    {line}\n" for line in pem.splitlines())
    (entry,) = read(f"registries:\n- name: a\n  api_url: https://a.b\n  ca_data: |\n{lines}")
    assert entry.ca == pem


def _pem() -> str:
    return ssl.DER_cert_to_PEM_cert(b"a certificate, as far as its envelope goes")


@pytest.mark.parametrize("text", ["- a\n", "registries: 3\n", "a: [\n", "registries: []\nother: 1\n", "a: 1\n---\nb: 1\n"])
def test_a_text_of_another_shape_is_refused(text):
    assert codes(text)


@pytest.mark.parametrize("text", ["registries: []\n", "registries:\n", "# none yet\n", ""])
def test_no_entries_are_fine(text):
    assert read(text) == ()


def test_a_file_of_that_form_named_by_c_is_recognised():
    found = settings_of("interval: 1m\nregistries: [{prefix: a.b}]\n", FULL)
    assert [entry.prefix for entry in found.registry_entries] == ["a.b", "docker.io", "registry.example.org/team", "quay.io"]
    assert is_registries_conf({"registries": [{"api_url": "x"}]})
    assert not is_registries_conf({"registries": [{"prefix": "x"}]})


def test_its_problems_join_those_of_the_other_files():
    found = problems_of("intervall: 1m\n", "registries: [{api_url: 'https://a.b', nam: x}]\n")
    assert [(item.path, item.code) for item in found] == [
        ("/conf/0.yaml", "unknown-key"),
        ("/conf/1.yaml", "missing-key"),
        ("/conf/1.yaml", "unknown-key"),
    ]


def test_the_setting_names_a_file_beside_the_configuration(tmp_path):
    (tmp_path / "registries.conf").write_text(FULL)
    (tmp_path / "updater.yaml").write_text("registries_conf: registries.conf\n")
    found = load_settings([tmp_path / "updater.yaml"], {})
    assert len(found.registry_entries) == 3
    assert found.files == (str(tmp_path / "updater.yaml"), str(tmp_path / "registries.conf"))


def test_a_named_file_that_is_absent_or_wrong_is_a_problem(tmp_path):
    assert problem_of("\nregistries_conf: /nowhere/at/all\n").line == 2
    (tmp_path / "r").write_text("registries: [{name: x}]")
    assert problem_of(f"registries_conf: {tmp_path}/r\n").path == f"{tmp_path}/r"


def test_an_entry_that_both_forms_have_is_a_problem():
    assert problem_of("registries: [{prefix: docker.io}]\n", FULL).code == "registry-entry"
