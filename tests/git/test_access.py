"""What a Git URL means, and what never appears in a text."""

import base64

import pytest

from updater.errors import GitError
from updater.git.access import GitAccess, authorization, masked, parse_address
from updater.model.credential import Credential
from updater.model.subscription import shown_url


@pytest.mark.parametrize(
    ("url", "shown", "scheme", "path"),
    [
        ("https://git.example.org/a/b.git", "https://git.example.org/a/b.git", "https", "/a/b.git"),
        ("HTTPS://user:pw@git.example.org:8443/a", "https://git.example.org:8443/a", "https", "/a"),
        ("http://[::1]:80/a.git", "http://[::1]:80/a.git", "http", "/a.git"),
        ("ssh://git@host:2222/srv/a.git", "ssh://host:2222/srv/a.git", "ssh", "/srv/a.git"),
        ("ssh://host/~me/a.git", "ssh://host/~me/a.git", "ssh", "~me/a.git"),
        ("git+ssh://host/a%20b.git", "ssh://host/a b.git", "ssh", "/a b.git"),
        ("git@github.com:org/repo.git", "ssh://github.com/org/repo.git", "ssh", "org/repo.git"),
        ("host:/srv/a.git", "ssh://host/srv/a.git", "ssh", "/srv/a.git"),
        ("me@[::1]:a.git", "ssh://[::1]/a.git", "ssh", "a.git"),
        pytest.param(
            "john@doe.org@john-server.org:29418/project",
            "ssh://john-server.org/29418/project",
            "ssh",
            "29418/project",
            id="argo-186",
        ),
        pytest.param(
            "ssh://git@github.com/argoproj/argo-cd.git",
            "ssh://github.com/argoproj/argo-cd.git",
            "ssh",
            "/argoproj/argo-cd.git",
            id="argo-184",
        ),
        (
            "https://org@dev.azure.com/org/My%20Project/_git/repo",
            "https://dev.azure.com/org/My%20Project/_git/repo",
            "https",
            "/org/My%20Project/_git/repo",
        ),
        ("git@ssh.dev.azure.com:v3/org/app/repo", "ssh://ssh.dev.azure.com/v3/org/app/repo", "ssh", "v3/org/app/repo"),
        (
            "ssh://APKAEXAMPLE@git-codecommit.eu-west-1.amazonaws.com/v1/repos/fleet",
            "ssh://git-codecommit.eu-west-1.amazonaws.com/v1/repos/fleet",
            "ssh",
            "/v1/repos/fleet",
        ),
        ("file:///srv/my%20repo", "/srv/my repo", "file", "/srv/my repo"),
        ("/srv/a.git", "/srv/a.git", "file", "/srv/a.git"),
        ("./a:b", "./a:b", "file", "./a:b"),
    ],
)
def test_every_form_of_address_is_understood(url, shown, scheme, path):
    address = parse_address(url)
    assert (str(address), address.scheme, address.path) == (shown, scheme, path)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("git://github.com/argoproj/test.git", id="argo-185"),
        pytest.param("unknown://host/a", id="argo-166"),
        "codecommit://profile@fleet",
        "",
        " ",
        "ftp://host/a",
        "https://",
        "https://host",
        "https://host:99999/a",
        "https://host/a\nb",
        "h:-x",
    ],
)
def test_a_url_that_leads_nowhere_is_refused_with_a_hint(url):
    with pytest.raises(GitError) as caught:
        parse_address(url)
    assert caught.value.code == "git-url"
    assert caught.value.hint


def test_user_info_becomes_credentials_and_is_never_shown():
    address = parse_address("https://me%40x:p%3Aw-secret@host/a")
    assert (address.username, address.password) == ("me@x", "p:w-secret")
    assert "secret" not in repr(address) + str(address)
    assert authorization(GitAccess(), address) == "Basic bWVAeDpwOnctc2VjcmV0"


def test_a_bad_url_is_refused_without_repeating_its_password():
    with pytest.raises(GitError) as caught:
        parse_address("https://me:secret@host")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("credential", "value"),
    [
        (None, None),
        (Credential(), None),
        (Credential(registry_token="t"), "Bearer t"),
        (Credential(username="u", password="p"), "Basic dTpw"),
        (Credential(password="p"), "Basic Z2l0OnA="),
        pytest.param(Credential(username="u", password="p", registry_token="t"), "Bearer t", id="flux-346"),
    ],
)
def test_a_credential_becomes_one_header(credential, value):
    assert authorization(GitAccess(credential=credential), parse_address("https://host/a")) == value


def test_secrets_are_masked_in_what_servers_say():
    access = GitAccess(
        credential=Credential(username="u", password="hunter22", registry_token="token1"),
        headers=(("Authorization", "Basic abcdef"),),
        passphrase="opensesame",
    )
    address = parse_address("https://a:urlsecret@host/a")
    text = masked("hunter22 token1 Basic abcdef opensesame urlsecret dTpodW50ZXIyMg== u", access, address)
    assert text == "••• ••• ••• ••• ••• ••• u"
    assert "hunter22" not in repr(access)


def test_the_user_of_an_scp_like_address_may_hold_an_at_sign():
    assert parse_address("john@doe.org@john-server.org:29418/project").username == "john@doe.org"


SCP_SECRETS = ("me:s3cret@host:repo.git", "me:s3cr/et@host:repo.git", "me:s3c@ret@host:repo.git", "me:s3cret@host/repo.git")


@pytest.mark.parametrize("url", [*SCP_SECRETS, "https://me:s3c/ret@host/repo.git"])
def test_a_url_that_holds_a_password_where_none_can_be_is_refused_and_not_repeated(url):
    with pytest.raises(GitError) as caught:
        parse_address(url)
    assert caught.value.code == "git-url"
    assert "s3c" not in f"{caught.value} {caught.value.hint} {shown_url(url)}"


@pytest.mark.parametrize("url", ["git@host:repo.git", "host:repo.git", "./a:b@c", "ssh://host/a@b", "https://host:8443/a@b"])
def test_a_url_without_a_password_is_shown_as_it_is(url):
    assert shown_url(url) == url
    parse_address(url)


def test_the_token_behind_a_header_and_the_password_of_a_proxy_are_masked():
    basic = base64.b64encode(b"robot:hunter22-in-header").decode()
    access = GitAccess(headers=(("Authorization", f"Basic {basic}"),), proxy="http://me:proxy-word@proxy:3128")
    text = masked(f"{basic} hunter22-in-header proxy-word", access, parse_address("https://host/a"))
    assert text == "••• ••• •••"


def test_a_token_as_user_name_is_masked_and_an_organisation_is_not():
    token = "glpat-abcdefghijklmnop1234"
    assert masked(f"{token} x", GitAccess(), parse_address(f"https://{token}@host/a")) == "••• x"
    assert masked("acme x", GitAccess(), parse_address("https://acme@host/a")) == "acme x"
