"""Promises about Argo CD's repository Secrets, without a cluster: which one holds for a URL, and what it says."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from updater.argocd.repository_secrets import (
    LABEL,
    choose,
    is_direct,
    login,
    normalised,
    read_fields,
    read_secrets,
)
from updater.credentials.github_app import API
from updater.errors import ConfigError, GitError
from updater.git.access import parse_address
from updater.model.credential import Credential

PEM = "-----BEGIN THING-----\nabc\n-----END THING-----"
URL = "https://git.test/org/app.git"


def secret(name="one", kind="repository", **fields):
    data = {key: base64.b64encode(value.encode()).decode() for key, value in fields.items()}
    return {"metadata": {"namespace": "argocd", "name": name, "labels": {LABEL: kind}}, "data": data}


def template(name="creds", **fields):
    return secret(name, "repo-creds", **fields)


def shown(items, url=URL):
    """Say what a server at *url* is shown, by Secrets as the API server gives them."""
    chosen = choose(read_secrets(items)[0], url)
    return login(chosen, parse_address(url)) if chosen else None


def password(items, url=URL):
    found = shown(items, url)
    return found and found.access.credential and found.access.credential.password


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://GitHub.com/Org/App", "https://github.com/org/app.git"),
        ("git@github.com:org/app.git", "ssh://git@github.com/org/app"),
        (" https://github.com/org/app ", "https://github.com/org/app"),
        ("org-1@github.com:org/app", "ssh://org-1@github.com/org/app.git"),
    ],
)
def test_spellings_of_one_repository_are_one(one, other):
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://github.com/org/app", "git@github.com:org/app"),
        ("https://github.com/org/app", "http://github.com/org/app"),
        ("ssh://git@github.com:22/org/app", "git@github.com:org/app"),
        ("https://github.com/org/app", "https://github.com/org/application"),
    ],
)
def test_other_repositories_are_other(one, other):
    assert normalised(one) != normalised(other)


@given(some.from_regex(r"[a-zA-Z0-9-]{1,8}(/[a-zA-Z0-9_.-]{1,8}){1,3}", fullmatch=True))
def test_an_ssh_url_means_the_same_in_both_its_spellings(path):
    assert normalised(f"git@git.test:{path}") == normalised(f"SSH://git@GIT.test/{path}")


@given(some.text())
@example("https://h/x.git.git")
@example("git@git@:x")
def test_any_text_has_a_normal_form(text):
    assert normalised(text) == normalised(f" {text}\n") == normalised(text.lower())


@given(
    some.from_regex(r"https://(git|a)(\.test)?(\.evil)?(:1)?(/x?)?", fullmatch=True),
    some.from_regex(r"https://(git|a)(\.test)?(\.evil)?(:1)?/x?y", fullmatch=True),
)
def test_what_is_found_for_a_url_is_for_its_host_and_port(prefix, url):
    if shown([template(url=prefix, password="p")], url):
        assert urlsplit(prefix).netloc == urlsplit(url).netloc


def test_a_repository_wins_over_the_longest_beginning():
    items = [
        template(url="https://git.test/org/app", username="u", password="creds"),
        secret(url="https://git.test/org/app", username="u", password="own"),
    ]
    assert password(items) == "own"


def test_the_longest_beginning_wins():
    items = [
        template("a", url="https://git.test", password="host"),
        template("b", url="https://git.test/org/a", password="longest"),
        template("c", url="https://git.test/org", password="org"),
    ]
    assert password(items) == "longest"
    assert password(items, "https://git.test/other/x") == "host"
    assert password(items, "https://elsewhere.test/org/a") is None


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("https://git.test", "https://git.test.evil.test/org/app"),
        ("https://git.test", "https://git.test:8443/org/app"),
        ("https://git", "https://git.test/org/app"),
        ("https://", "https://git.test/org/app"),
        ("git@git.test", "git@git.test.evil.test:org/app"),
        ("https://git.test/org", "http://git.test/org/app"),
    ],
)
def test_credentials_for_one_host_are_never_shown_to_another(prefix, url):
    assert shown([template(url=prefix, username="u", password="p", sshPrivateKey="k")], url) is None


@pytest.mark.parametrize("prefix", ["git@git.test", "git@git.test:", "git@git.test:org", "ssh://git@git.test/org/"])
def test_a_beginning_of_an_ssh_url_holds_in_each_spelling(prefix):
    found = shown([template(url=prefix, sshPrivateKey=PEM)], "git@git.test:org/app.git")
    assert found.access.private_key == f"{PEM}\n".encode()


def test_a_repository_without_credentials_inherits_them_and_keeps_its_own_way():
    items = [
        secret(url=URL, insecure="true", proxy="http://own.test:1"),
        template(url="https://git.test", username="u", password="p", proxy="http://theirs.test:2"),
    ]
    access = shown(items).access
    assert access.credential == Credential(username="u", password="p")
    assert (access.insecure_skip_verify, access.proxy) == (True, "http://own.test:1")


@pytest.mark.parametrize(
    "own",
    [
        {"username": "me"},
        {"password": "mine"},
        {"bearerToken": "mine"},
        {"tlsClientCertData": PEM, "tlsClientCertKey": PEM},
    ],
)
def test_a_repository_with_credentials_of_its_own_inherits_nothing(own):
    assert password([secret(url=URL, **own), template(url="https://git.test", password="p")]) != "p"


def test_credentials_for_many_never_turn_off_verification():
    access = shown([template(url="https://git.test", password="p", insecure="true", insecureIgnoreHostKey="true")]).access
    assert not access.insecure_skip_verify


@pytest.mark.parametrize("kind", ["helm", "oci", "HELM"])
def test_charts_have_other_secrets(kind):
    assert shown([secret(url=URL, type=kind, password="p")]) is None


def test_a_secret_of_type_git_is_one():
    assert password([secret(url=URL, type="git", password="p")]) == "p"


def test_secrets_of_other_kinds_are_passed_over():
    items = [{"metadata": {"name": "x"}}, secret(kind="cluster", url=URL, password="p"), {"metadata": {"labels": None}}]
    assert read_secrets(items) == ((), ())


def test_what_is_left_out_is_said():
    items = [secret("a", password="p"), secret("b", url=URL, project="shop", password="hunter2")]
    found, remarks = read_secrets(items)
    assert found == ()
    assert remarks == (
        "the Secret argocd/a names no url, and is ignored",
        "the Secret argocd/b belongs to the project shop alone, and is not used",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("1", True),
        ("T", True),
        ("false", False),
        ("", False),
        pytest.param("maybe", False, id="argo-167"),
        ("yes", False),
    ],
)
def test_verification_is_turned_off_by_true_alone(text, expected):
    items = [secret(url=URL, insecure=text)]
    assert shown(items).access.insecure_skip_verify is expected
    doubts = read_secrets(items)[1]
    assert bool(doubts) == (text in {"maybe", "yes"})
    assert all("insecure is neither true nor false" in doubt for doubt in doubts)


def test_the_old_name_of_insecure_counts():
    assert shown([secret(url=URL, insecureIgnoreHostKey="true")]).access.insecure_skip_verify


def test_line_ends_around_a_value_are_none_of_it():
    assert password([secret(url=f"{URL}\n", username="u\n", password="p\r\n")]) == "p"


def test_a_bearer_token_is_shown_as_one():
    assert shown([secret(url=URL, bearerToken="abc")]).access.credential == Credential(registry_token="abc")


def test_a_password_wins_over_all_else():
    found = shown([secret(url=URL, password="p", bearerToken="b", githubAppPrivateKey=PEM)])
    assert (found.access.credential.password, found.app) == ("p", None)


def test_a_client_certificate_and_its_key_are_one_file():
    access = shown([secret(url=URL, tlsClientCertData=PEM, tlsClientCertKey=PEM)]).access
    assert access.client_certificate == f"{PEM}\n{PEM}\n".encode()
    assert access.credential is None


def test_a_github_app_is_read_whole():
    fields = {"githubAppID": "12", "githubAppInstallationID": "34", "githubAppPrivateKey": PEM}
    app = shown([secret(url=URL, **fields)]).app
    assert (app.identity, app.installation, app.private_key, app.base_url) == ("12", "34", PEM, API)
    app = shown(
        [
            secret(url=URL, githubAppEnterpriseBaseUrl="https://ghe.test/api/v3", proxy="proxy.test:3128", insecure="true"),
            template(url="https://git.test", tlsClientCertData=PEM, tlsClientCertKey=PEM, **fields),
        ]
    ).app
    assert app.base_url == "https://ghe.test/api/v3"
    assert (app.connection.proxy, app.connection.insecure) == ("http://proxy.test:3128", True)
    assert app.connection.client_pem == f"{PEM}\n{PEM}\n"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"githubAppPrivateKey": PEM, "githubAppID": "1"}, "githubAppInstallationID"),
        ({"githubAppPrivateKey": PEM, "githubAppInstallationID": "1"}, "githubAppID"),
        ({"tlsClientCertData": PEM}, "tlsClientCertKey"),
        ({"tlsClientCertKey": PEM}, "tlsClientCertData"),
        ({"tlsClientCertData": "/path/cert", "tlsClientCertKey": "/path/key"}, "PEM"),
        ({"proxy": "socks5://proxy.test:1080"}, "proxy"),
        ({"proxy": "http://proxy.test:99999"}, "proxy"),
        ({"proxy": "http://"}, "proxy"),
        (
            {
                "githubAppPrivateKey": PEM,
                "githubAppID": "1",
                "githubAppInstallationID": "2",
                "githubAppEnterpriseBaseUrl": "https://[::",
            },
            "githubAppEnterpriseBaseUrl",
        ),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_its_secret(fields, word):
    with pytest.raises(ConfigError, match=word) as caught:
        shown([secret(url=URL, **fields)])
    assert caught.value.code == "credential-secret"
    assert "argocd/one" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("fields", [{"gcpServiceAccountKey": "{}"}, {"useAzureWorkloadIdentity": "true"}])
def test_what_is_not_supported_is_said(fields):
    with pytest.raises(ConfigError, match=next(iter(fields))) as caught:
        shown([secret(url=URL, **fields), template(url="https://git.test", username="u", password="p")])
    assert caught.value.code == "credential-unsupported"
    assert "git.repositories" in caught.value.hint


@pytest.mark.parametrize("data", ["not base64!", base64.b64encode(b"\xff").decode(), 7])
def test_a_field_that_is_no_text_is_named_when_it_is_wanted(data):
    broken = secret(url=URL)
    broken["data"]["password"] = data
    with pytest.raises(ConfigError, match="the Secret argocd/one: the field password is not UTF-8 text"):
        shown([broken])
    broken["data"]["enableLfs"] = data
    assert shown([broken], "git@git.test:x/y") is None


def test_a_broken_field_that_would_be_inherited_does_not_hide_ones_own():
    broken = template(url="https://git.test", username="u")
    broken["data"]["password"] = "!"
    assert password([secret(url=URL, password="own"), broken]) == "own"
    with pytest.raises(ConfigError, match="password"):
        shown([secret(url=URL), broken])


@pytest.mark.parametrize("data", [None, [], "x"])
def test_a_secret_without_data_has_no_field(data):
    assert dict(read_fields("a/b", data).fields) == {}


def test_nothing_of_a_secret_is_shown_by_repr():
    items = [secret(url=URL, username="hunter1", password="hunter2", sshPrivateKey="hunter3", bearerToken="hunter4")]
    found = read_secrets(items)[0]
    assert "hunter" not in repr(found)
    assert "hunter" not in repr(choose(found, URL))
    assert "hunter" not in repr(shown(items, URL.replace("https://", "ssh://git@")))


@pytest.mark.parametrize(
    ("host", "port", "spared", "expected"),
    [
        ("git.test", None, "git.test", True),
        ("a.git.test", None, "git.test", True),
        ("a.git.test", None, ".git.test", True),
        ("a.git.test", None, "*.git.test", True),
        ("notgit.test", None, "git.test", False),
        ("git.test", 8443, "git.test:8443", True),
        ("git.test", None, "git.test:443", True),
        ("git.test", None, "git.test:8443", False),
        ("10.1.2.3", None, "a.test, 10.0.0.0/8", True),
        ("fd00::1", None, "fd00::/8", True),
        ("11.1.2.3", None, "10.0.0.0/8", False),
        ("GIT.test.", None, "git.TEST", True),
        ("git.test", None, "*", True),
        ("git.test", None, "", False),
        ("git.test", None, ",,", False),
    ],
)
def test_no_proxy_is_read_as_everywhere(host, port, spared, expected):
    assert is_direct(host, port, spared) is expected


def test_a_spared_host_is_reached_without_the_proxy():
    assert shown([secret(url=URL, proxy="http://proxy.test:1", noProxy=".test")]).access.proxy is None


def test_argo_166_an_unknown_kind_of_url_is_refused():
    with pytest.raises(GitError) as caught:
        parse_address("unknown://git.test/x")
    assert caught.value.code == "git-url"
