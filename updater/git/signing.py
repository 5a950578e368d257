"""SSH signatures of commits, as `ssh-keygen -Y` makes them (OpenSSH, PROTOCOL.sshsig), namespace ``git``; and who signs."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import struct
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from updater.git.faults import fault

if TYPE_CHECKING:
    from collections.abc import Callable

_MAGIC: Final = b"SSHSIG"
_NAMESPACE: Final = b"git"
_CURVES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}
_Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Signer(Protocol):
    """Whatever can sign a commit."""

    def sign(self, payload: bytes) -> bytes:
        """Return the text of the commit's ``gpgsig`` header for the raw commit *payload*."""
        ...


class SshSigner:
    """Signs by one SSH key, opened once: unlocking an encrypted key takes a tenth of a second, a signature a millisecond.

    Raises `GitError` ``signing-key``. A *passphrase* that the key does not need is not used.
    """

    def __init__(self, key: bytes, passphrase: str = "") -> None:
        self._key = _load(key, passphrase.encode() or None)
        line = self._key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.public_line = line.decode("ascii")
        self._public = base64.b64decode(line.split()[1])

    def sign(self, payload: bytes) -> bytes:
        """See `Signer.sign`."""
        digest = hashlib.sha512(payload).digest()
        signed = _MAGIC + _string(_NAMESPACE) + _string(b"") + _string(b"sha512") + _string(digest)
        blob = _MAGIC + struct.pack(">I", 1) + _string(self._public) + _string(_NAMESPACE) + _string(b"") + _string(b"sha512")
        text = base64.b64encode(blob + _string(self._raw(signed))).decode("ascii")
        lines = "\n".join(text[start : start + 70] for start in range(0, len(text), 70))
        return f"-----BEGIN SSH SIGNATURE-----\n{lines}\n-----END SSH SIGNATURE-----".encode("ascii")

    def _raw(self, data: bytes) -> bytes:
        key = self._key
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return _string(b"ssh-ed25519") + _string(key.sign(data))
        if isinstance(key, rsa.RSAPrivateKey):
            return _string(b"rsa-sha2-512") + _string(key.sign(data, padding.PKCS1v15(), hashes.SHA512()))
        first, second = decode_dss_signature(key.sign(data, ec.ECDSA(_CURVES[key.curve.name]())))
        name = self.public_line.split()[0].encode("ascii")
        return _string(name) + _string(_number(first) + _number(second))


def signer_for(kind: str, key: bytes, passphrase: str = "") -> Signer:
    """Return who signs by *key*, a private key of the *kind* ``ssh`` or ``gpg``; raise `GitError` ``signing-key``.

    Unlocking a key takes up to half a second: call it off the event loop, and keep the answer.
    """
    if kind == "ssh":
        return SshSigner(key, passphrase)
    from updater.git.openpgp import OpenPgpSigner  # noqa: PLC0415 - its library is only for who has such a key

    return OpenPgpSigner(key, passphrase)


def key_reason(data: bytes, *, has_passphrase: bool) -> str:
    """Return why the private key *data* does not load, judged by what it is: the words of libraries speak of their own calls."""
    if b"PRIVATE KEY-----" not in data:
        return "it is not a private key in the OpenSSH or PEM format"
    if not _is_encrypted(data):
        return "it is damaged, or of a kind that is not supported"
    return "the passphrase is wrong, or the key is damaged" if has_passphrase else "it is encrypted, and no passphrase is given"


def _is_encrypted(data: bytes) -> bool:
    """Return whether a key says that it is encrypted: PEM in its first lines, OpenSSH by the name of the cipher in its body."""
    if b"OPENSSH PRIVATE KEY" not in data:
        return b"ENCRYPTED" in data
    lines = [line.strip() for line in data.strip().splitlines() if not line.startswith(b"-")]
    with contextlib.suppress(ValueError):
        body = base64.b64decode(b"".join(lines)[:64])  # the beginning holds magic and cipher
        return body.startswith(_OPENSSH) and not body.startswith(_OPENSSH + _string(b"none"))
    return False


_OPENSSH: Final = b"openssh-key-v1\0"


def _load(data: bytes, passphrase: bytes | None) -> _Key:
    text = data.strip().replace(b"\r\n", b"\n") + b"\n"
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        try:
            key = load(text, None)
        except TypeError:  # it is locked
            if passphrase is None:
                reason = key_reason(text, has_passphrase=False)
                raise fault("signing-key", f"the signing key cannot be read: {reason}") from None
            key = load(text, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = key_reason(text, has_passphrase=passphrase is not None)
        raise fault("signing-key", f"the signing key cannot be read: {reason}") from error
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in _CURVES:
        raise fault("signing-key", f"the signing key's curve {key.curve.name} is not one that SSH knows")
    if not isinstance(key, _Key):
        raise fault("signing-key", f"the signing key is of a kind that is not supported: {type(key).__name__}")
    return key


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _number(value: int) -> bytes:
    return _string(value.to_bytes(value.bit_length() // 8 + 1, "big"))
