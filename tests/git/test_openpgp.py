"""Commits are signed by OpenPGP so that gpg and Git accept them, and a key that cannot sign says why."""

import subprocess
import sys

import pysequoia
import pytest

from tests.fakes.git_server import IDENTITY
from tests.fakes.ssh_server import make_key
from tests.real.parts import require
from updater.errors import GitError
from updater.git.openpgp import OpenPgpSigner
from updater.git.signing import SshSigner, signer_for

ADDRESS = "updater@example.org"


class Gpg:
    """The real gpg with a home of its own."""

    def __init__(self, home):
        self.program = require("gpg")
        require("gpg-agent")
        home.mkdir(mode=0o700)
        self.environment = {**IDENTITY, "GNUPGHOME": str(home), "HOME": str(home)}

    def run(self, *arguments, data=None):
        done = subprocess.run(
            [self.program, "--batch", "--quiet", "--no-tty", *arguments],
            input=data,
            capture_output=True,
            env=self.environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def make(self, kind, passphrase="", *, address=ADDRESS, usage="sign"):
        """Make a key; gives it as armored text."""
        options = ("--pinentry-mode", "loopback", "--passphrase", passphrase)
        self.run(*options, "--quick-generate-key", f"updater <{address}>", kind, usage, "never")
        if usage == "cert":
            rows = self.run("--list-keys", "--with-colons", address).decode().splitlines()
            fingerprint = next(row for row in rows if row.startswith("fpr")).split(":")[9]
            self.run(*options, "--quick-add-key", fingerprint, "ed25519", "sign", "never")
        return self.run(*options, "--armor", "--export-secret-keys", address)

    def close(self):
        subprocess.run(["gpgconf", "--kill", "all"], env=self.environment, check=False)


@pytest.fixture
def gpg(tmp_path_factory):
    made = Gpg(tmp_path_factory.mktemp("gpg") / "home")
    yield made
    made.close()


def generated():
    """Make a key without gpg."""
    return str(pysequoia.Tsk.generate("updater <updater@example.org>")).encode()


async def land(mirror, commit, signer):
    head = await mirror.look("main")
    await mirror.fetch("main")
    made = commit({"x": b"1"}, signer=signer)
    return await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[made])


@pytest.mark.real
@pytest.mark.parametrize(
    ("kind", "passphrase", "usage"),
    [
        ("ed25519", "", "sign"),
        ("ed25519", "open sesame", "sign"),
        ("rsa3072", "open sesame", "sign"),
        ("rsa2048", "", "sign"),
        ("nistp256", "", "sign"),
        ("ed25519", "", "cert"),
    ],
)
async def test_git_verifies_a_commit_that_landed(gpg, mirror, repository, commit, kind, passphrase, usage):
    """With a key of usage cert a subkey signs."""
    signer = OpenPgpSigner(gpg.make(kind, passphrase, usage=usage), passphrase)
    landed = await land(mirror, commit, signer)
    done = subprocess.run(  # noqa: ASYNC221 - the server has its own thread
        ["git", "--git-dir", repository.path, "verify-commit", "-v", landed.revision],
        capture_output=True,
        env=gpg.environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"Good signature from" in done.stderr
    repository.git("fsck", "--strict")


@pytest.mark.real
def test_a_subkey_signs_where_the_primary_key_is_kept_elsewhere(gpg, tmp_path):
    gpg.make("ed25519", usage="cert")
    stub = gpg.run("--pinentry-mode", "loopback", "--passphrase", "", "--armor", "--export-secret-subkeys", ADDRESS)
    (tmp_path / "signature").write_bytes(OpenPgpSigner(stub).sign(b"payload"))
    (tmp_path / "payload").write_bytes(b"payload")
    gpg.run("--verify", tmp_path / "signature", tmp_path / "payload")


def test_a_signature_holds_without_gpg():
    key = generated()
    signed = OpenPgpSigner(key).sign(b"payload")
    assert signed.startswith(b"-----BEGIN PGP SIGNATURE-----")
    public = pysequoia.Tsk.from_bytes(key).extract_certificate()
    signature = pysequoia.Sig.from_bytes(signed)
    assert pysequoia.verify(bytes=b"payload", store=lambda _: [public], signature=signature).valid_sigs
    with pytest.raises(Exception, match="signature"):
        pysequoia.verify(bytes=b"other", store=lambda _: [public], signature=signature)


@pytest.mark.real
def test_flux_329_a_locked_key_needs_its_passphrase(gpg):
    key = gpg.make("ed25519", "open sesame")
    with pytest.raises(GitError, match="locked by a passphrase, and none is given") as caught:
        OpenPgpSigner(key)
    assert caught.value.code == "signing-key"
    with pytest.raises(GitError, match="the passphrase does not open it"):
        OpenPgpSigner(key, "wrong")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (b"", "not an armored OpenPGP key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", "not an armored OpenPGP key"),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n", "cannot be"),
        (generated() + generated(), "holds 2 keys"),
        (str(pysequoia.Tsk.generate("a").extract_certificate()).encode(), "no private key that may sign"),
    ],
    ids=["nothing", "ssh", "broken", "two", "public"],
)
def test_a_key_that_cannot_sign_says_why_and_shows_nothing_of_itself(key, reason):
    with pytest.raises(GitError, match=reason) as caught:
        OpenPgpSigner(key)
    assert caught.value.code == "signing-key"
    assert "Stack" not in str(caught.value)
    assert "AAAA" not in str(caught.value)


def test_a_passphrase_that_is_not_needed_is_not_used(tmp_path):
    assert OpenPgpSigner(generated(), "needless").sign(b"x")
    require("ssh-keygen")
    assert SshSigner(make_key(tmp_path / "key"), "needless").sign(b"x")


def test_the_kind_says_who_signs(tmp_path):
    require("ssh-keygen")
    assert isinstance(signer_for("gpg", generated()), OpenPgpSigner)
    assert isinstance(signer_for("ssh", make_key(tmp_path / "key")), SshSigner)


def test_the_library_is_imported_only_for_such_a_key():
    code = "import updater.git.signing, updater.git.openpgp, updater.daemon.signers, sys; sys.exit('pysequoia' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
