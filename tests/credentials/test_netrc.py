"""The netrc file of the user: which login counts for which URL, and that nothing of the file is told."""

from __future__ import annotations

import pytest

from updater.credentials.netrc import netrc_login
from updater.errors import ConfigError

FILE = """\
machine git.example.org login me password s3cret
machine other.example.org
  login you
  password else
default login anybody password everywhere
"""


@pytest.fixture
def environment(tmp_path):
    (tmp_path / ".netrc").write_text(FILE)
    return {"HOME": str(tmp_path)}


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("https://git.example.org/fleet.git", ("me", "s3cret")),
        ("https://GIT.example.org:8443/fleet.git", ("me", "s3cret")),
        ("https://other.example.org/fleet.git", ("you", "else")),
        ("https://me@git.example.org/fleet.git", ("me", "s3cret")),
        ("https://somebody@git.example.org/fleet.git", None),
        ("https://me:own@git.example.org/fleet.git", None),
        ("https://elsewhere.example.org/fleet.git", None),
        ("http://git.example.org/fleet.git", None),
        ("git@git.example.org:fleet.git", None),
        ("/srv/fleet.git", None),
    ],
)
def test_only_the_entry_of_this_host_counts_and_only_over_https(environment, url, login):
    found = netrc_login(url, environment)
    assert (found and (found[0].username, found[0].password)) == login
    assert found is None or found[1].endswith("/.netrc")


def test_the_variable_names_another_file(environment, tmp_path):
    (tmp_path / "mine").write_text("machine git.example.org login x password y\n")
    found = netrc_login("https://git.example.org/a", {**environment, "NETRC": str(tmp_path / "mine")})
    assert (found[0].username, found[0].password, found[1]) == ("x", "y", str(tmp_path / "mine"))


@pytest.mark.parametrize("environment", [{}, {"HOME": "/nonexistent"}, {"NETRC": "/nonexistent", "HOME": "/nonexistent"}])
def test_without_a_file_there_is_no_login(environment):
    assert netrc_login("https://git.example.org/a", environment) is None


@pytest.mark.parametrize("text", [b"machine a login b passwort s3cret\n", b"s3cret\n", b"machine \xff login b password s3cret\n"])
def test_a_file_that_is_none_is_named_and_not_repeated(tmp_path, text):
    (tmp_path / ".netrc").write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        netrc_login("https://git.example.org/a", {"HOME": str(tmp_path)})
    assert (caught.value.code, str(tmp_path / ".netrc") in caught.value.message) == ("credential-format", True)
    assert "s3cret" not in caught.value.message
