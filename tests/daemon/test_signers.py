"""Who signs the commits of a commit spec: cases of the peer under their ids, and what is read how often."""

from __future__ import annotations

import pysequoia
import pytest

from tests.fakes.ssh_server import make_key
from tests.fakes.still_time import StillTime
from tests.real.parts import require
from updater.credentials.secret_cache import REMEMBERED_SECONDS
from updater.daemon.signers import Signers
from updater.errors import ConfigError, KubeUnavailable
from updater.git.openpgp import OpenPgpSigner
from updater.git.signing import SshSigner
from updater.model.signing_key import SigningKey, read_signing_key

GPG, SSH = "secret:ns/key#gpg", "secret:ns/key#ssh"


class Cluster:
    """Holds one Secret, and counts how often it is read; `failure` is raised instead."""

    def __init__(self, **data):
        self.data = data
        self.reads = 0
        self.failure = None

    async def __call__(self, namespace, name):
        assert (namespace, name) == ("ns", "key")
        self.reads += 1
        if self.failure:
            raise self.failure
        return self.data


def generated():
    return str(pysequoia.Tsk.generate("updater <updater@example.org>")).encode()


@pytest.fixture
def still():
    return StillTime()


def signers(cluster, still, configured=None):
    return Signers(configured, cluster, clock=still.clock)


def test_a_name_leads_to_a_secret_or_to_the_configuration():
    assert read_signing_key(GPG) == SigningKey("gpg", "ns", "key")
    assert str(SigningKey("ssh", "ns", "key")) == SSH
    for text in ("", "file:/keys/id", "secret:ns/key", "secret:ns#gpg", "secret:ns/a/b#gpg", "secret:ns/key#pgp"):
        assert read_signing_key(text) is None


async def test_what_names_no_secret_is_signed_by_the_key_of_the_configuration(still):
    configured = object()
    assert await signers(Cluster(), still, configured)("file:/keys/id") is configured
    assert await signers(Cluster(), still)("") is None


async def test_what_is_to_be_signed_is_never_left_unsigned(still):
    with pytest.raises(ConfigError, match="names no key that signs") as caught:
        await signers(Cluster(), still)("gpg:secret:ns/key")
    assert caught.value.code == "signing-key"


async def test_a_key_of_the_configuration_may_be_a_field_of_any_name(still):
    configured, cluster = object(), Cluster()
    made = Signers(configured, cluster, reference=SSH, clock=still.clock)
    assert await made(SSH) is configured
    assert cluster.reads == 0


async def test_flux_327_a_key_of_the_type_gpg_is_git_asc(still):
    """An empty type means gpg: whoever reads the object writes so."""
    found = await signers(Cluster(**{"git.asc": generated()}), still)(GPG)
    assert isinstance(found, OpenPgpSigner)


async def test_flux_328_a_key_of_the_type_ssh_is_identity(still):
    with pytest.raises(ConfigError, match="Secret ns/key: it has no key identity") as caught:
        await signers(Cluster(**{"git.asc": b"x"}), still)(SSH)
    assert caught.value.code == "signing-key"
    assert "git.asc" in caught.value.hint


async def test_flux_330_a_locked_ssh_key_without_its_password_names_the_field(still, tmp_path):
    require("ssh-keygen")
    key = make_key(tmp_path / "key", passphrase="open sesame")
    with pytest.raises(ConfigError, match="it is encrypted, and no passphrase is given") as caught:
        await signers(Cluster(identity=key), still)(SSH)
    assert "its key password" in caught.value.hint
    found = await signers(Cluster(identity=key, password=b"open sesame\n"), still)(SSH)
    assert isinstance(found, SshSigner)


async def test_a_secret_is_read_once_a_minute_and_its_key_opened_again_only_when_it_changed(still):
    cluster = Cluster(**{"git.asc": generated()})
    made = signers(cluster, still)
    first = await made(GPG)
    assert await made(GPG) is first
    assert cluster.reads == 1
    still.now += REMEMBERED_SECONDS + 1
    assert await made(GPG) is first
    assert cluster.reads == 2
    cluster.data = {"git.asc": generated()}
    still.now += REMEMBERED_SECONDS + 1
    assert (await made(GPG)).fingerprint != first.fingerprint


async def test_while_the_cluster_is_away_what_was_known_signs(still):
    cluster = Cluster(**{"git.asc": generated()})
    made = signers(cluster, still)
    cluster.failure = KubeUnavailable("away")
    with pytest.raises(KubeUnavailable):
        await made(GPG)
    cluster.failure = None
    first = await made(GPG)
    cluster.failure = KubeUnavailable("away")
    still.now += REMEMBERED_SECONDS + 1
    assert await made(GPG) is first


async def test_a_passphrase_that_is_no_text_is_named(still):
    with pytest.raises(ConfigError, match="the key passphrase is not UTF-8"):
        await signers(Cluster(**{"git.asc": generated(), "passphrase": b"\xff"}), still)(GPG)
