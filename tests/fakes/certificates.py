"""Makes a certificate authority and certificates for loopback, for one test run."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """Paths of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; its own is at `path`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab authority")])
        certificate = self._sign(self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
        self.path = folder / "ca.pem"
        self.path.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(self, name: str, *, key_suffix: str = ".key", host: str = "", ends_in: timedelta = timedelta(days=2)) -> Pair:
        """Return a certificate for loopback, good for servers and clients; or for *host* alone, or one that has ended."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        constraints = x509.BasicConstraints(ca=False, path_length=None)
        certificate = self._sign(subject, key.public_key(), constraints, host=host, ends_in=ends_in)
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}{key_suffix}")
        pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair

    def server_context(self, pair: Pair, *, wants_client: bool = False) -> ssl.SSLContext:
        """Give what a TLS server needs."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        if wants_client:
            context.load_verify_locations(self.path)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _sign(self, subject, public_key, constraints, *, host="", ends_in=timedelta(days=2)) -> x509.Certificate:
        now = datetime.now(UTC)
        loopback = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        names = x509.SubjectAlternativeName([x509.DNSName(host)] if host else loopback)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + ends_in)
            .add_extension(constraints, critical=True)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )
