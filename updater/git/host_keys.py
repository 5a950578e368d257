"""What a known_hosts file says of a host: its keys, which keys are revoked, and whose certificates are trusted.

Format: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"; certificates: PROTOCOL.certkeys of OpenSSH.
"""

from __future__ import annotations

import base64
import contextlib
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

import paramiko
from paramiko.hostkeys import HostKeyEntry, HostKeys, InvalidHostKey

from updater.git.faults import fault
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

_SYSTEM_FILES: Final = (Path("~/.ssh/known_hosts"), Path("/etc/ssh/ssh_known_hosts"))
_CERTIFICATE: Final = "-cert-v01@openssh.com"
_HOST: Final = 2  # the type of a certificate for a host
_KINDS: Final[dict[str, Callable[[paramiko.Message], paramiko.PKey]]] = {
    "ssh-ed25519": lambda blob: paramiko.Ed25519Key(msg=blob),
    "ssh-rsa": lambda blob: paramiko.RSAKey(msg=blob),
    "ecdsa-sha2-nistp256": lambda blob: paramiko.ECDSAKey(msg=blob),
    "ecdsa-sha2-nistp384": lambda blob: paramiko.ECDSAKey(msg=blob),
    "ecdsa-sha2-nistp521": lambda blob: paramiko.ECDSAKey(msg=blob),
}


@dataclass(frozen=True, slots=True)
class _Marked:
    """A line with a marker: whose hosts, and which key."""

    patterns: tuple[str, ...]
    blob: bytes

    def fits(self, name: str) -> bool:
        """Return whether the line is about the host *name*."""
        is_listed = False
        for pattern in self.patterns:
            if pattern.startswith("|1|"):
                is_listed |= HostKeys.hash_host(name, pattern) == pattern
            elif pattern.startswith("!"):
                if fnmatchcase(name, _plain(pattern[1:])):
                    return False
            else:
                is_listed |= fnmatchcase(name, _plain(pattern))
        return is_listed


@dataclass(slots=True)
class KnownHosts:
    """The lines of known_hosts: *keys* are those without a marker."""

    keys: HostKeys
    revoked: list[_Marked] = field(default_factory=list)
    authorities: list[_Marked] = field(default_factory=list)

    def load(self, source: Path | bytes | None) -> None:
        """Read *source*, of None the user's and the system's files; raise `GitDenied` where a named file cannot be read."""
        if isinstance(source, bytes):
            self._add(source)
            return
        for path in (source,) if source is not None else _SYSTEM_FILES:
            try:
                self._add(path.expanduser().read_bytes())
            except OSError as error:
                if source is not None:
                    raise fault("host-key-unknown", f"known_hosts cannot be read: {reason_of(error)}") from error

    def has_authority(self, name: str) -> bool:
        """Return whether certificates are trusted for the host *name*."""
        return any(line.fits(name) for line in self.authorities)

    def check_revoked(self, name: str, blob: bytes) -> None:
        """Raise `GitDenied` ``host-key-revoked`` where *blob*, a key or certificate that *name* shows, is revoked for it."""
        shown = {blob}
        if is_certificate(blob):
            with contextlib.suppress(ValueError):
                certificate = Certificate.read(blob)
                shown |= {certificate.authority, certificate.key.asbytes()}
        if any(line.blob in shown and line.fits(name) for line in self.revoked):
            raise fault("host-key-revoked", f"the SSH host {name} shows a key that known_hosts marks by @revoked")

    def check_certificate(self, name: str, host: str, blob: bytes) -> None:
        """Raise `GitDenied` ``host-key-unknown`` unless *blob* is a certificate of *host* by a trusted authority of *name*."""
        try:
            certificate = Certificate.read(blob)
            trusted = any(line.blob == certificate.authority and line.fits(name) for line in self.authorities)
            reason = certificate.flaw(host, time.time()) if trusted else "known_hosts trusts another authority"
        except (ValueError, paramiko.SSHException):
            reason = "it cannot be read"
        if reason:
            raise fault("host-key-unknown", f"the certificate that the SSH host {name} shows is not accepted: {reason}")

    def _add(self, text: bytes) -> None:
        for line in text.decode("utf-8", "replace").splitlines():
            if line.startswith("@"):
                self._add_marked(line)
                continue
            with contextlib.suppress(InvalidHostKey, paramiko.SSHException):  # an unknown key type hides no other line
                entry = HostKeyEntry.from_line(line) if line.strip() and not line.startswith("#") else None
                for name in entry.hostnames or () if entry is not None else ():
                    self.keys.add(name, entry.key.get_name(), entry.key)  # type: ignore[union-attr]

    def _add_marked(self, line: str) -> None:
        marker, *parts = line.split()
        if len(parts) < 3:
            return
        with contextlib.suppress(ValueError):
            marked = _Marked(tuple(parts[0].split(",")), base64.b64decode(parts[2], validate=True))
            {"@revoked": self.revoked, "@cert-authority": self.authorities}.get(marker, []).append(marked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate of a host key, taken apart; nothing of it is trusted before `flaw` was asked."""

    key: paramiko.PKey
    kind: int
    principals: tuple[str, ...]
    valid: tuple[int, int]
    options: bytes
    authority: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, blob: bytes) -> Certificate:
        """Take *blob* apart; raise `ValueError`."""
        message = paramiko.Message(blob)
        name = message.get_text().removesuffix(_CERTIFICATE)
        message.get_binary()  # a nonce
        fields = [message.get_binary() for _ in range(1 if name == "ssh-ed25519" else 2)]
        if name not in _KINDS:
            raise ValueError(f"certificates of {name} are not known")
        plain = paramiko.Message()
        plain.add_string(name)
        for part in fields:
            plain.add_string(part)
        key = _KINDS[name](paramiko.Message(plain.asbytes()))
        message.get_int64()  # a serial number
        kind = message.get_int()
        message.get_binary()  # a name for logs
        packed, principals = paramiko.Message(message.get_binary()), []
        while packed.get_remainder():
            principals.append(packed.get_text())
        valid = (message.get_int64(), message.get_int64())
        options = message.get_binary()
        message.get_binary()  # extensions, of which hosts have none
        message.get_binary()  # reserved
        authority = message.get_binary()
        signed = blob[: len(blob) - len(message.get_remainder())]
        return cls(
            key=key,
            kind=kind,
            principals=tuple(principals),
            valid=valid,
            options=options,
            authority=authority,
            signed=signed,
            signature=message.get_binary(),
        )

    def flaw(self, host: str, now: float) -> str:
        """Return why the certificate does not hold for *host* at the time *now*; "" where it does."""
        if self.kind != _HOST:
            return "it is not for a host"
        if self.options:
            return "it has critical options that are not known"
        if not self.valid[0] <= now < self.valid[1]:
            return "it is not valid at this time"
        if not any(fnmatchcase(host.lower(), _plain(principal.lower())) for principal in self.principals):
            return f"it is for {', '.join(self.principals)[:200] or 'no host'}"
        make = _KINDS.get(paramiko.Message(self.authority).get_text())
        is_signed = make is not None and make(paramiko.Message(self.authority)).verify_ssh_sig(
            self.signed, paramiko.Message(self.signature)
        )
        return "" if is_signed else "its signature is wrong"


def is_certificate(blob: bytes) -> bool:
    """Return whether a host key that was shown is a certificate."""
    return paramiko.Message(blob).get_binary().endswith(_CERTIFICATE.encode())


def _plain(pattern: str) -> str:
    """Make a pattern of hosts, which has * and ? only, one of `fnmatch`."""
    return pattern.replace("[", "[[]")


class VerifiedTransport(paramiko.Transport):
    """An SSH connection that notes what the server offers and shows, and refuses a revoked key.

    *name* is the host as known_hosts names it. Certificates are asked for where an authority is trusted for it.
    """

    def __init__(self, sock: object, name: str, known: KnownHosts | None, **options: object) -> None:
        super().__init__(sock, **options)  # type: ignore[arg-type]
        self.name_of_host = name
        self.known = known
        self.offered: dict[str, list[str]] = {}
        self.shown = b""
        if known is not None and known.has_authority(name):
            certified = tuple(kind for kind in self._key_info if kind.endswith(_CERTIFICATE))  # type: ignore[attr-defined]
            self._preferred_keys = (*certified, *self._preferred_keys)  # type: ignore[has-type]

    def _parse_kex_init(self, message: paramiko.Message) -> None:
        self.offered = self._really_parse_kex_init(paramiko.Message(message.asbytes()))  # type: ignore[attr-defined]
        super()._parse_kex_init(message)  # type: ignore[misc]

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        super()._verify_key(host_key, sig)  # type: ignore[misc]
        self.shown = host_key
        if self.known is not None:
            self.known.check_revoked(self.name_of_host, host_key)

    def mismatch(self) -> str:
        """Return what each side offers, of the first kind of algorithm that they do not share; "" where there is none."""
        options = self.get_security_options()
        rows = (
            ("key exchanges", options.kex, "kex_algo_list"),
            ("host keys", options.key_types, "server_key_algo_list"),
            ("ciphers", options.ciphers, "server_encrypt_algo_list"),
            ("MACs", options.digests, "server_mac_algo_list"),
        )
        for what, ours, name in rows:
            theirs = [item for item in self.offered.get(name, []) if not item.startswith(("kex-strict-", "ext-info-"))]
            if theirs and not set(ours) & set(theirs):
                return f"no {what} in common: the server offers {', '.join(theirs)}; this program offers {', '.join(ours)}"
        return ""
