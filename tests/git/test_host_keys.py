"""Marked lines of known_hosts count: revoked keys are refused, and certificates of an authority are accepted."""

import subprocess

import pytest

from tests.fakes.ssh_server import SshServer, make_key
from tests.real.parts import require
from updater.errors import GitDenied, GitError
from updater.git.access import GitAccess

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    require("ssh-keygen")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("me", "authority", "stranger"):
        make_key(folder / name)
    make_key(folder / "rsa-authority", "rsa")
    return folder


@pytest.fixture
def serve(folder, tmp_path_factory):
    """Start a server whose host key is certified by *authority* for *principal*."""
    running = []

    def start(authority="authority", principal="127.0.0.1", options=(), kind="ed25519", more=""):
        place = tmp_path_factory.mktemp("sshd")
        make_key(place / "host_key", kind)
        if authority:
            sign = ["ssh-keygen", "-q", "-s", folder / authority, "-h", "-I", "test", "-n", principal, *options]
            subprocess.run([*sign, place / "host_key.pub"], check=True)
            more += f"HostCertificate {place}/host_key-cert.pub\n"
        server = SshServer(place, require("sshd"), [folder / "me.pub"], more=more)
        server.__enter__()
        running.append(server)
        return server

    yield start
    for server in running:
        server.__exit__()


def public(file) -> str:
    return " ".join(file.with_name(file.name + ".pub").read_text().split()[:2])


@pytest.fixture
def look(folder, mirrors, repository):
    async def ask(server, known_hosts):
        access = GitAccess(private_key=(folder / "me").read_bytes(), known_hosts=known_hosts.encode())
        return (await mirrors(server.url(repository.path), access).look("main")).revision

    return ask


@pytest.mark.parametrize("hosts", ["[127.0.0.1]:{port}", "*", "[127.0.0.*]:*", "other,[127.0.0.?]:{port}"])
@pytest.mark.parametrize(("authority", "kind"), [("authority", "ed25519"), ("rsa-authority", "ecdsa"), ("authority", "rsa")])
async def test_a_certificate_of_a_named_authority_is_accepted(serve, look, repository, folder, hosts, authority, kind):
    server = serve(authority, kind=kind)
    line = f"@cert-authority {hosts.format(port=server.port)} {public(folder / authority)}\n"
    assert await look(server, line) == repository.head()


@pytest.mark.parametrize(
    ("options", "line", "word"),
    [
        ({}, "@cert-authority * {stranger}", "another authority"),
        ({"principal": "git.example.org"}, "@cert-authority * {authority}", "git.example.org"),
        ({"options": ("-V", "20200101:20200102")}, "@cert-authority * {authority}", "not valid"),
        ({"authority": None}, "@cert-authority * {authority}", "no certificate"),
        ({}, "@cert-authority other {authority}", "not in known_hosts"),
        ({}, "@cert-authority *,![127.0.0.1]:* {authority}", "not in known_hosts"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_refused(serve, look, folder, options, line, word):
    server = serve(**options)
    names = {name: public(folder / name) for name in ("authority", "stranger")}
    with pytest.raises(GitDenied) as caught:
        await look(server, line.format(**names) + "\n")
    assert caught.value.code == "host-key-unknown"
    assert word in caught.value.message


async def test_a_revoked_key_is_refused_although_another_line_names_it(serve, look):
    server = serve(authority=None)
    line = server.known_hosts.decode()
    for known in (f"@revoked {line}{line}", f"{line}@revoked * {line.split(' ', 1)[1]}"):
        with pytest.raises(GitDenied) as caught:
            await look(server, known)
        assert caught.value.code == "host-key-revoked"
        assert "@revoked" in caught.value.message
    assert await look(server, line + line.replace("[127", "@revoked [128", 1))


@pytest.mark.parametrize("what", ["authority", "host"])
async def test_a_certificate_with_a_revoked_key_or_authority_is_refused(serve, look, folder, what):
    server = serve()
    revoked = public(folder / "authority") if what == "authority" else public(server.folder / "host_key")
    with pytest.raises(GitDenied) as caught:
        await look(server, f"@cert-authority * {public(folder / 'authority')}\n@revoked * {revoked}\n")
    assert caught.value.code == "host-key-revoked"


@pytest.mark.parametrize(
    ("more", "what", "theirs"),
    [
        ("KexAlgorithms diffie-hellman-group18-sha512\n", "key exchanges", "diffie-hellman-group18-sha512"),
        ("Ciphers chacha20-poly1305@openssh.com\n", "ciphers", "chacha20-poly1305@openssh.com"),
        ("MACs umac-64@openssh.com\nCiphers aes128-ctr\n", "MACs", "umac-64@openssh.com"),
    ],
)
async def test_algorithms_without_one_in_common_are_said_of_each_side(serve, look, more, what, theirs):
    server = serve(authority=None, more=more)
    with pytest.raises(GitError) as caught:
        await look(server, server.known_hosts.decode())
    assert caught.value.code == "ssh-algorithms"
    assert f"no {what} in common: the server offers {theirs}" in caught.value.message
    assert "this program offers " in caught.value.message
