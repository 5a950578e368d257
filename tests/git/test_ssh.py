"""SSH carries the same conversations, and a host that is not known is never trusted."""

import getpass
import subprocess

import pytest

from tests.fakes.git_server import BareRepository, run_git
from tests.fakes.ssh_server import SshServer, make_key
from tests.git.conftest import ME, NOW
from tests.real.daemon_process import until
from tests.real.parts import free_port, require
from updater.checkout.worktree import Checkout, CommitDetails, PushOptions
from updater.errors import GitDenied, GitError, GitUnavailable
from updater.git import host_keys
from updater.git.access import GitAccess
from updater.git.ssh_client import load_key
from updater.model.credential import Credential

pytestmark = pytest.mark.real
KINDS = ("ed25519", "ecdsa", "rsa")
WORDING = CommitDetails(message="Set app to 1.1\n", author=ME, when=NOW)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    require("ssh-keygen")
    folder = tmp_path_factory.mktemp("keys")
    for kind in KINDS:
        make_key(folder / kind, kind)
    make_key(folder / "locked", "ed25519", "open sesame")
    make_key(folder / "stranger")
    return folder


@pytest.fixture(scope="module")
def sshd(keys, tmp_path_factory):
    program = require("sshd")
    authorized = [keys / f"{name}.pub" for name in (*KINDS, "locked")]
    with SshServer(tmp_path_factory.mktemp("sshd"), program, authorized) as running:
        yield running


@pytest.fixture
def access(keys, sshd):
    def make(key="ed25519", **options):
        return GitAccess(private_key=(keys / key).read_bytes(), **{"known_hosts": sshd.known_hosts, **options})

    return make


async def land(mirror, commit):
    head = await mirror.look("main")
    await mirror.fetch("main")
    await mirror.history(head.revision)
    return await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])


@pytest.mark.parametrize("key", KINDS)
async def test_every_kind_of_key_lands_over_one_connection(sshd, mirrors, repository, access, commit, key):
    repository.commit({"second": b"2"})
    before = sshd.connections()
    await land(mirrors(sshd.url(repository.path), access(key)), commit)
    assert repository.show("x") == b"1"
    assert sshd.connections() == before + 1
    assert mirrors.kinds == ["look", "fetch", "history", "push"]
    repository.git("fsck", "--strict")


async def test_a_locked_key_opens_with_its_passphrase(sshd, mirrors, repository, access):
    mirror = mirrors(sshd.url(repository.path), access("locked", passphrase="open sesame"))
    assert (await mirror.look("main")).revision == repository.head()


@pytest.fixture
def agent(keys, tmp_path, monkeypatch):
    """A real ssh-agent that holds one key; the environment leads to it."""
    socket = tmp_path / "agent"
    running = subprocess.Popen([require("ssh-agent"), "-D", "-a", socket], stdout=subprocess.DEVNULL)
    until(socket.exists)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    monkeypatch.setenv("HOME", str(tmp_path))
    yield lambda key: subprocess.run([require("ssh-add"), "-q", keys / key], check=True, capture_output=True)
    running.terminate()
    running.wait(10)


async def test_a_key_of_the_agent_lands_where_the_user_is_asked_and_nowhere_else(agent, sshd, mirrors, repository, commit):
    agent("ecdsa")
    await land(mirrors(sshd.url(repository.path), GitAccess(use_agent=True, known_hosts=sshd.known_hosts)), commit)
    assert repository.show("x") == b"1"
    with pytest.raises(GitDenied) as caught:
        await mirrors(sshd.url(repository.path), GitAccess(known_hosts=sshd.known_hosts), name="other").look("main")
    assert "there is no private key to log in with" in caught.value.message


async def test_a_key_of_the_agent_that_the_server_does_not_know_is_told(agent, sshd, mirrors, repository):
    agent("stranger")
    with pytest.raises(GitDenied) as caught:
        await mirrors(sshd.url(repository.path), GitAccess(use_agent=True, known_hosts=sshd.known_hosts)).look("main")
    assert caught.value.code == "git-denied"


async def test_a_server_that_ignores_the_protocol_wish_is_understood(keys, tmp_path, mirrors, repository, commit):
    (tmp_path / "sshd").mkdir()
    with SshServer(tmp_path / "sshd", require("sshd"), [keys / "ed25519.pub"], accepts_protocol=False) as old:
        access = GitAccess(private_key=(keys / "ed25519").read_bytes(), known_hosts=old.known_hosts)
        mirror = mirrors(old.url(repository.path), access)
        await land(mirror, commit)
        repository.commit({"y": b"2"})
        head = await mirror.look("main")
        await mirror.fetch("main")
        assert await mirror.tree(head.revision, lambda tree: tree.read("y")) == b"2"


async def test_a_connection_that_died_is_opened_again(keys, tmp_path, mirrors, repository):
    (tmp_path / "sshd").mkdir()
    server = SshServer(tmp_path / "sshd", require("sshd"), [keys / "ed25519.pub"])
    with server:
        access = GitAccess(private_key=(keys / "ed25519").read_bytes(), known_hosts=server.known_hosts)
        mirror = mirrors(server.url(repository.path), access)
        await mirror.look("main")
        mirror._remote._line._client.get_transport().close()
        assert (await mirror.look("main")).revision == repository.head()
    mirror._remote._line.close()
    with pytest.raises(GitUnavailable):
        await mirror.look("main")


async def test_a_scp_like_path_starts_at_home(sshd, mirrors, access, repository):
    (sshd.home / "fleet.git").symlink_to(repository.path)
    url = f"ssh://{getpass.getuser()}@127.0.0.1:{sshd.port}/~/fleet.git"
    assert (await mirrors(url, access()).look("main")).revision == repository.head()


async def test_an_unknown_host_is_refused_with_its_fingerprint(sshd, keys, mirrors, repository, access, tmp_path, monkeypatch):
    monkeypatch.setattr(host_keys, "_SYSTEM_FILES", (tmp_path / "none",))
    empty = tmp_path / "known_hosts"
    empty.write_text("# nobody\n\n@cert-authority * ssh-ed25519 AAAA\nother.example.org ssh-strange AAAA\n")
    for number, known in enumerate((b"", empty, None)):
        with pytest.raises(GitDenied) as caught:
            await mirrors(sshd.url(repository.path), access(known_hosts=known), name=str(number)).look("main")
        assert caught.value.code == "host-key-unknown"
        assert "SHA256:" in caught.value.message
        assert "known_hosts" in caught.value.hint
    empty.write_bytes(sshd.known_hosts)
    assert (await mirrors(sshd.url(repository.path), access(known_hosts=empty), name="ok").look("main")).revision
    with pytest.raises(GitDenied) as caught:
        await mirrors(sshd.url(repository.path), access(known_hosts=tmp_path / "none"), name="no").look("main")
    assert caught.value.code == "host-key-unknown"


async def test_a_host_is_trusted_unseen_where_the_settings_of_its_repository_say_so(sshd, keys, mirrors, repository, access):
    public = (keys / "stranger.pub").read_text().split()
    known = f"[127.0.0.1]:{sshd.port} {public[0]} {public[1]}\n".encode()
    trusting = access(known_hosts=known, insecure_skip_verify=True)
    assert (await mirrors(sshd.url(repository.path), trusting).look("main")).revision == repository.head()


async def test_a_host_with_another_key_is_refused_with_both_fingerprints(sshd, keys, mirrors, repository, access):
    public = (keys / "stranger.pub").read_text().split()
    known = f"[127.0.0.1]:{sshd.port} {public[0]} {public[1]}\n".encode()
    with pytest.raises(GitDenied) as caught:
        await mirrors(sshd.url(repository.path), access(known_hosts=known)).look("main")
    assert caught.value.code == "host-key-changed"
    assert caught.value.message.count("SHA256:") == 2


@pytest.mark.parametrize(
    ("key", "options", "code"),
    [
        ("stranger", {}, "git-denied"),
        ("locked", {}, "ssh-key"),
        ("locked", {"passphrase": "wrong"}, "ssh-key"),
        ("ed25519.pub", {}, "ssh-key"),
        ("ed25519", {"proxy": "https://p:1"}, "git-url"),
        ("ed25519", {"proxy": "http://127.0.0.1:1"}, "git-unreachable"),
    ],
)
async def test_a_key_that_does_not_open_is_told(sshd, mirrors, repository, access, key, options, code):
    with pytest.raises(GitError) as caught:
        await mirrors(sshd.url(repository.path), access(key, **options)).look("main")
    assert caught.value.code == code
    assert caught.value.hint


async def test_a_password_alone_is_tried_and_refused_by_this_server(sshd, mirrors, repository):
    access = GitAccess(credential=Credential(username="u", password="secret-word"), known_hosts=sshd.known_hosts)
    with pytest.raises(GitDenied) as caught:
        await mirrors(sshd.url(repository.path), access).look("main")
    assert "secret-word" not in caught.value.message


async def test_a_repository_that_is_not_there_is_told(sshd, mirrors, access, tmp_path):
    with pytest.raises(GitError) as caught:
        await mirrors(sshd.url(tmp_path / "absent.git"), access()).look("main")
    assert caught.value.code == "git-not-found"


async def test_nobody_listening_is_unreachable(mirrors, access):
    with pytest.raises(GitUnavailable) as caught:
        await mirrors(f"ssh://git@127.0.0.1:{free_port()}/x.git", access()).look("main")
    assert caught.value.code == "git-unreachable"


def test_a_key_that_is_none_is_refused():
    with pytest.raises(GitDenied) as caught:
        load_key(b"rubbish")
    assert caught.value.code == "ssh-key"
    assert caught.value.message == "the private key cannot be read: it is not a private key in the OpenSSH or PEM format"


def test_a_key_in_the_format_of_other_programs_is_named_with_the_way_out():
    with pytest.raises(GitDenied) as caught:
        load_key(b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n")
    assert "PKCS #8" in caught.value.message
    assert "ssh-keygen" in caught.value.hint


async def test_a_declined_push_says_why_over_ssh_too(sshd, mirrors, access, repository: BareRepository, commit):
    repository.decline_pushes("not today")
    with pytest.raises(GitError) as caught:
        await land(mirrors(sshd.url(repository.path), access()), commit)
    assert caught.value.code == "push-declined"
    assert "not today" in caught.value.message


@pytest.mark.parametrize("place", ["core.sshCommand", "GIT_SSH_COMMAND"])
@pytest.mark.parametrize(
    "form", ["-i {key} -o UserKnownHostsFile={hosts}", '-o "IdentityFile {key}" -oUserKnownHostsFile={hosts}']
)
async def test_the_key_and_known_hosts_of_an_ssh_command_are_used(sshd, keys, repository, tmp_path, place, form):
    hosts = tmp_path / "hosts"
    hosts.write_bytes(sshd.known_hosts)
    command = "ssh -F none -o StrictHostKeyChecking=yes " + form.format(key=keys / "ed25519", hosts=hosts)
    checkout, revision = await committed(tmp_path, sshd.url(repository.path), repository, place, command)
    await checkout.push(revision, WORDING, PushOptions(replay=lambda _: {}, pause=_never, branch="main"))
    checkout.close()
    assert repository.show("x") == b"1\n"


async def test_what_an_ssh_command_says_and_nobody_reads_is_named_in_the_error(sshd, keys, repository, tmp_path):
    (tmp_path / "hosts").write_bytes(b"")
    command = f"ssh -J jump.example.org -o StrictHostKeyChecking=no -i {keys / 'ed25519'} -o UserKnownHostsFile={tmp_path}/hosts"
    checkout, revision = await committed(tmp_path, sshd.url(repository.path), repository, "core.sshCommand", command)
    with pytest.raises(GitError) as caught:
        await checkout.push(revision, WORDING, PushOptions(replay=lambda _: {}, pause=_never, branch="main"))
    checkout.close()
    assert caught.value.code == "host-key-unknown"
    assert "-J jump.example.org of core.sshCommand" in caught.value.hint
    assert "-o StrictHostKeyChecking=no of core.sshCommand" in caught.value.hint


@pytest.mark.parametrize(("command", "word"), [("ssh -i /absent/key", "/absent/key of core.sshCommand"), ("ssh -i 'x", "quote")])
async def test_an_ssh_command_that_cannot_be_followed_is_told(repository, tmp_path, command, word):
    checkout, revision = await committed(tmp_path, "ssh://git@127.0.0.1:1/x.git", repository, "core.sshCommand", command)
    with pytest.raises(GitDenied) as caught:
        await checkout.push(revision, WORDING, PushOptions(replay=lambda _: {}, pause=_never, branch="main"))
    checkout.close()
    assert caught.value.code == "ssh-key"
    assert word in caught.value.message


async def committed(tmp_path, url, repository, place, command):
    """A clone with a commit to push to *url*, by the SSH *command* that *place* names."""
    clone = tmp_path / "clone"
    run_git("clone", "-q", repository.path, clone)
    run_git("-C", clone, "remote", "set-url", "origin", url)
    if place == "core.sshCommand":
        run_git("-C", clone, "config", place, command)
    (clone / "x").write_text("1\n")
    run_git("-C", clone, "add", "x")
    run_git("-C", clone, "commit", "-qm", "x")
    checkout = Checkout(clone, {} if place == "core.sshCommand" else {place: command})
    return checkout, checkout.head


async def _never(_number):
    raise AssertionError("there is nobody else who pushes")
