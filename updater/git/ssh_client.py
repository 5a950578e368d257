"""SSH as a carrier of Git: keys, known hosts, and one connection kept between calls.

paramiko speaks the protocol, because the program's image holds no ssh program (docs/decisions/0101).
A host key is verified unless `insecure_skip_verify` says otherwise; a host that `known_hosts` does not name is refused
with its fingerprint.
"""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING, Any, Final

import paramiko
from dulwich.client import SSHGitClient

from updater.errors import GitError
from updater.git.access import GitAccess, GitAddress, masked
from updater.git.faults import fault
from updater.git.host_keys import KnownHosts, VerifiedTransport, is_certificate
from updater.git.pipes import OpenPipes
from updater.git.signing import key_reason
from updater.git.tunnel import open_tunnel
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_SECONDS: Final = 15.0
READ_SECONDS: Final = 60.0
_KEYS: Final[tuple[type[paramiko.PKey], ...]] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)

# paramiko's thread prints a traceback for every connection that ends badly; the error reaches us anyway.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class _Refuse(paramiko.MissingHostKeyPolicy):
    """A host that is not known is never trusted on first sight; one with a certificate of a trusted authority is known."""

    def __init__(self, known: KnownHosts, host: str) -> None:
        self._known = known
        self._host = host

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        transport = client.get_transport()
        shown = transport.shown if isinstance(transport, VerifiedTransport) else b""
        if is_certificate(shown):
            self._known.check_certificate(hostname, self._host, shown)
            return
        message = f"the SSH host {hostname} is not in known_hosts; it shows {key.get_name()} {key.fingerprint}"
        if self._known.has_authority(hostname):
            message += ", and no certificate of the authority that known_hosts names for it"
        raise fault("host-key-unknown", message)


class _Trust(paramiko.MissingHostKeyPolicy):
    """Any host is trusted: the settings of this one repository say so."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Go on."""


class Pipe:
    """One command on the server, as dulwich reads and writes it."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._output: Any = channel.makefile("rb", 65536)
        self.stderr: Any = channel.makefile_stderr("rb")
        self.read: Callable[[int], bytes] = self._output.read

    def write(self, data: bytes) -> None:
        """Send all of *data*."""
        self._channel.sendall(data)

    def can_read(self) -> bool:
        """Return whether an answer waits."""
        return self._channel.recv_ready()

    def close(self) -> None:
        """End the command."""
        self._channel.close()


class SshConnection:
    """The connection to one server, opened when first used, kept, and opened again when it is found dead."""

    def __init__(self, address: GitAddress, access: GitAccess) -> None:
        self.address = address
        self.access = access
        self._client: paramiko.SSHClient | None = None
        self._transport: VerifiedTransport | None = None

    def run_command(self, host: str, command: bytes, **options: Any) -> Pipe:  # noqa: ARG002 - dulwich's SSHVendor interface
        """Start *command*; the protocol version goes as an environment variable, which a server may ignore."""
        try:
            channel = self._channel()
            channel.settimeout(READ_SECONDS)
            if options.get("protocol_version"):
                channel.set_environment_variable("GIT_PROTOCOL", f"version={options['protocol_version']}")
            channel.exec_command(command.decode("utf-8", "surrogateescape"))
        except GitError as error:
            raise self._with_unread(error) from error.__cause__
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise self._with_unread(self.failure(error)) from error
        return Pipe(channel)

    def _with_unread(self, error: GitError) -> GitError:
        """Name in the hint what an SSH command says and nobody reads here."""
        if self.access.unread:
            error.hint = f"{error.hint}; not read here: {', '.join(self.access.unread)}"
        return error

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def abort(self) -> None:
        """Break the connection, from any thread."""
        if (client := self._client) is not None:
            client.close()

    def _channel(self) -> paramiko.Channel:
        if self._client is not None:
            transport = self._client.get_transport()
            with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
                if transport is not None and transport.is_active():
                    return transport.open_session(timeout=CONNECT_SECONDS)
            self.close()
        self._client = paramiko.SSHClient()
        try:
            self._connect(self._client)
        except BaseException:
            self.close()
            raise
        transport = self._client.get_transport()
        if transport is None:
            raise paramiko.SSHException("the connection closed at once")
        return transport.open_session(timeout=CONNECT_SECONDS)

    def _connect(self, client: paramiko.SSHClient) -> None:
        hosts = None if self.access.insecure_skip_verify else KnownHosts(client.get_host_keys())
        if hosts is not None:
            hosts.load(self.access.known_hosts)
        client.set_missing_host_key_policy(_Refuse(hosts, self.address.host) if hosts is not None else _Trust())
        name = self.address.host if (self.address.port or 22) == 22 else f"[{self.address.host}]:{self.address.port}"
        known = self.access.credential

        def transport(sock: Any, **options: Any) -> paramiko.Transport:
            self._transport = VerifiedTransport(sock, name, hosts, **options)
            return self._transport

        port = self.address.port or 22
        key = load_key(self.access.private_key, self.access.passphrase) if self.access.private_key else None
        proxy = self.access.proxy
        client.connect(
            self.address.host,
            sock=open_tunnel(proxy, self.address.host, port, seconds=CONNECT_SECONDS) if proxy else None,
            port=port,
            username=(known.username if known else "") or self.address.username or "git",
            password=(known.password if known and self.access.private_key is None else None) or None,
            pkey=key,
            allow_agent=self.access.use_agent,
            look_for_keys=self.access.use_agent,
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=CONNECT_SECONDS,
            transport_factory=transport,
        )

    def failure(self, error: BaseException) -> GitError:
        """Name what went wrong."""
        if isinstance(error, paramiko.BadHostKeyException):
            return fault(
                "host-key-changed",
                f"the SSH host {error.hostname} shows {error.key.get_name()} {error.key.fingerprint}, "
                f"but known_hosts has {error.expected_key.get_name()} {error.expected_key.fingerprint}",
            )
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer) and self._transport is not None:
            return fault("ssh-algorithms", f"{self.address}: {self._transport.mismatch() or error}")
        code = "git-unreachable"
        if isinstance(error, paramiko.AuthenticationException) or str(error).lower().startswith(_KEYLESS):
            code = "git-denied"
        elif isinstance(error, TimeoutError):
            code = "git-timeout"
        text = (reason_of(error) if isinstance(error, OSError) else "") or _ssh_words(str(error))
        return fault(code, f"{self.address}: {masked(text, self.access, self.address)}", hint=_SSH_HINTS.get(code, ""))


def _ssh_words(text: str) -> str:
    """Return what the SSH library says in words for people."""
    low = text.lower()
    known = next((words for begin, words in _SSH_WORDS.items() if low.startswith(begin)), "")
    return known or f"{text[:1].lower()}{text[1:].rstrip('.')}" or "the server closed the connection"


_KEYLESS: Final = "no authentication methods available"
_SSH_WORDS: Final = {
    "error reading ssh protocol banner": "the server does not speak SSH on this port",
    "invalid ssh banner": "the server does not speak SSH on this port",
    "indecipherable protocol version": "the server does not speak SSH on this port",
    "incompatible version": "the server speaks a version of SSH that is not supported",
    _KEYLESS: "there is no private key to log in with",
    "no existing session": "the server closed the connection",
    "ssh session not active": "the server closed the connection",
    "server connection dropped": "the server closed the connection",
    "negotiation failed": "the server closed the connection",
    "authentication timeout": "no answer in time",
    "timeout opening channel": "no answer in time",
    "unable to connect": "the host cannot be reached",
}
_SSH_HINTS: Final = {"git-denied": "check the private key of this repository, and that the server knows its public half"}


class SshClient(OpenPipes, SSHGitClient):
    """One call's client over an `SshConnection`; *count* is told of every command."""

    def __init__(self, line: SshConnection, count: Callable[[], None], *, thin_packs: bool = True) -> None:
        super().__init__(line.address.host, vendor=line, thin_packs=thin_packs, ssh_command="")  # type: ignore[arg-type]
        self.ssh_command = None  # type: ignore[assignment] # no ssh program is ever started
        self._count = count

    def _connect(self, cmd: bytes, path: str | bytes, protocol_version: int | None = None) -> Any:
        self._count()
        return super()._connect(cmd, path, protocol_version)

    @staticmethod
    def _warn_filter_objects() -> None:
        """A server that cannot filter sends more; that is no news for a log."""


def load_key(data: bytes, passphrase: str = "") -> paramiko.PKey:
    """Read a private key, OpenSSH or PEM; raise `GitDenied` ``ssh-key``."""
    text = data.decode("utf-8", "replace").strip() + "\n"
    for kind in _KEYS:
        try:
            return kind.from_private_key(io.StringIO(text), password=passphrase or None)
        except paramiko.PasswordRequiredException as error:
            raise fault("ssh-key", "the private key is locked by a passphrase, and none is given") from error
        except (paramiko.SSHException, ValueError, IndexError, TypeError):
            continue
    if "-----BEGIN PRIVATE KEY-----" in text or "-----BEGIN ENCRYPTED PRIVATE KEY-----" in text:
        hint = "ssh-keygen -p -f FILE writes it in the OpenSSH format"
        raise fault("ssh-key", "the private key cannot be read: it is in the format PKCS #8", hint=hint)
    raise fault("ssh-key", f"the private key cannot be read: {key_reason(data, has_passphrase=bool(passphrase))}")
