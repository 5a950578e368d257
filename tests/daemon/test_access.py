"""What the settings of a Git repository become: the credential in the form its text has."""

from __future__ import annotations

import pytest

from updater.credentials.keychain import Keychain
from updater.daemon.access import access_for
from updater.settings import build_settings

CONFIGURATION = b"""\
git:
  repositories:
    - {prefix: "https://git.test/", credentials: "env:GIT_SECRET", proxy: "http://proxy.test:3128"}
subscriptions: []
"""


@pytest.mark.parametrize(
    ("text", "username", "password", "token"),
    [
        pytest.param("me:secret", "me", "secret", "", id="user-and-password"),
        pytest.param("ghp_token", "", "ghp_token", "", id="token"),
        pytest.param("Bearer abc.def", "", "", "abc.def", id="bearer"),
    ],
)
async def test_a_credential_is_read_by_its_form(text, username, password, token):
    settings = build_settings([("updater.yaml", CONFIGURATION)], {})
    keychain = Keychain(environment={"GIT_SECRET": text}, docker_configs=[])
    access = await access_for("https://git.test/fleet.git", settings, keychain)
    known = access.credential
    assert (known.username, known.password, known.registry_token, access.proxy) == (
        username,
        password,
        token,
        "http://proxy.test:3128",
    )


async def test_a_private_key_is_a_key_and_no_password():
    settings = build_settings([("updater.yaml", CONFIGURATION)], {})
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----"
    access = await access_for(
        "https://git.test/fleet.git", settings, Keychain(environment={"GIT_SECRET": key}, docker_configs=[])
    )
    assert (access.credential, access.private_key) == (None, key.encode() + b"\n")


async def test_a_repository_without_an_entry_is_reached_as_anybody():
    settings = build_settings([("updater.yaml", CONFIGURATION)], {})
    access = await access_for("https://elsewhere.test/fleet.git", settings, Keychain(environment={}, docker_configs=[]))
    assert access.credential is None
