"""TLS contexts: private authorities, and client certificates held as text."""

from __future__ import annotations

import os
import ssl
import tempfile
from typing import TYPE_CHECKING

from updater.http.exchange import FailureKind, HttpFailure
from updater.reasons import reason_of

if TYPE_CHECKING:
    from updater.http.exchange import Connection


def private_context(connection: Connection) -> ssl.SSLContext:
    """Return the context of a connection with *authority* or *client_pem*; raise `HttpFailure` where a text is no PEM.

    Without *authority* the system's authorities are trusted, and *ca* besides.
    """
    try:
        context = ssl.create_default_context(cadata=ascii_pem(connection.authority) if connection.authority else None)
        if connection.ca and not connection.authority:
            load_authorities(context, connection.ca)
        # Python 3.13 made this the default; authorities of long-lived clusters lack the key identifiers that it wants.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if connection.client_pem:
            _show_certificate(context, connection.client_pem)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise HttpFailure(
            f"the authority or client certificate cannot be used: {reason_of(error) or 'it is not PEM'}",
            trouble=FailureKind.SETTINGS,
            hint="both are PEM; a client certificate comes with its key, which has no password",
        ) from error
    if connection.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def load_authorities(context: ssl.SSLContext, authorities: str) -> None:
    """Trust *authorities*, the path of a PEM file or its text, besides what *context* trusts."""
    if is_pem(authorities):
        context.load_verify_locations(cadata=ascii_pem(authorities))
    else:
        context.load_verify_locations(cafile=authorities)


def is_pem(authorities: str) -> bool:
    """Return whether *authorities* is PEM text, as in ``ca_data`` or a Secret, and not the path of a file."""
    return "-----BEGIN" in authorities


def ascii_pem(text: str) -> str:
    """Return PEM text as OpenSSL takes it: bundles name authorities in comments, in the languages of their countries."""
    return text.encode("ascii", "ignore").decode("ascii")


def _show_certificate(context: ssl.SSLContext, pem: str) -> None:
    """Load *pem*. OpenSSL's door for that is a path, so it stands in a file that only we can read, for this moment."""
    handle, path = tempfile.mkstemp(prefix="updater-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(pem)
        context.load_cert_chain(path, password=_no_password)
    finally:
        os.unlink(path)  # noqa: PTH108 - what mkstemp gave


def _no_password() -> str:
    """Refuse to ask: without this OpenSSL would wait for somebody at the terminal."""
    raise ValueError("the key has a password")
