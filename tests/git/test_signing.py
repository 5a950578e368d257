"""Commits are signed so that OpenSSH and Git accept them."""

import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.fakes.git_server import IDENTITY, run_git
from tests.fakes.ssh_server import make_key
from tests.real.parts import require
from updater.errors import GitError
from updater.git.signing import SshSigner

pytestmark = pytest.mark.real


@pytest.fixture
def keygen():
    return require("ssh-keygen")


def allow(tmp_path, signer):
    file = tmp_path / "allowed"
    file.write_text(f"updater@example.org {signer.public_line}\n")
    return file


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
@pytest.mark.parametrize("passphrase", ["", "open sesame"])
def test_ssh_keygen_verifies_what_we_sign(keygen, tmp_path, kind, passphrase):
    signer = SshSigner(make_key(tmp_path / "key", kind, passphrase), passphrase)
    (tmp_path / "signature").write_bytes(signer.sign(b"payload") + b"\n")
    done = subprocess.run(
        [
            keygen,
            "-Y",
            "verify",
            "-f",
            allow(tmp_path, signer),
            "-I",
            "updater@example.org",
            "-n",
            "git",
            "-s",
            tmp_path / "signature",
        ],
        input=b"payload",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_pem_key_signs_too(keygen, tmp_path):
    make_key(tmp_path / "key", "ecdsa")
    subprocess.run([keygen, "-q", "-p", "-m", "PEM", "-N", "", "-f", tmp_path / "key"], check=True, stdout=subprocess.DEVNULL)
    assert b"BEGIN EC PRIVATE KEY" in (tmp_path / "key").read_bytes()
    assert SshSigner((tmp_path / "key").read_bytes()).sign(b"x").startswith(b"-----BEGIN SSH SIGNATURE-----\n")


async def test_git_verifies_a_signed_commit_that_landed(keygen, tmp_path, mirror, repository, commit):
    signer = SshSigner(make_key(tmp_path / "key"))
    head = await mirror.look("main")
    await mirror.fetch("main")
    change = commit({"x": b"1"}, signer=signer)
    landed = await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[change])
    settings = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={allow(tmp_path, signer)}")
    done = subprocess.run(  # noqa: ASYNC221 - the server has its own thread
        ["git", *settings, "--git-dir", repository.path, "verify-commit", "-v", landed.revision],
        capture_output=True,
        env=IDENTITY,
        check=False,
    )
    assert b'Good "git" signature for updater@example.org' in done.stderr
    assert "Update app" in run_git("--git-dir", repository.path, "log", "-1", "--format=%s")
    assert [past.subject for past in await mirror.history(landed.revision)] == ["Update app"]


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda folder: b"no key", "cannot be read: it is not a private key in the OpenSSH or PEM format"),
        (lambda folder: make_key(folder / "locked", "ed25519", "secret"), "it is encrypted, and no passphrase is given"),
        (lambda folder: make_key(folder / "key", "ed25519")[:-80], "it is damaged, or of a kind that is not supported"),
        (lambda folder: dh_key(), "not supported"),
        (lambda folder: curve_key(), "curve"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_when_it_is_loaded(keygen, tmp_path, make, word):
    with pytest.raises(GitError) as caught:
        SshSigner(make(tmp_path))
    assert caught.value.code == "signing-key"
    assert word in caught.value.message


def test_a_wrong_passphrase_is_an_error_and_one_too_much_is_not_used(keygen, tmp_path):
    locked, plain = make_key(tmp_path / "locked", "ed25519", "secret"), make_key(tmp_path / "plain")
    with pytest.raises(GitError, match="the passphrase is wrong, or the key is damaged"):
        SshSigner(locked, passphrase="wrong")
    assert SshSigner(plain, passphrase="secret").public_line == SshSigner(plain).public_line


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def dh_key():
    return pem(X25519PrivateKey.generate())


def curve_key():
    return pem(ec.generate_private_key(ec.SECP256K1()))
