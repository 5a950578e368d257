"""What the operating system, TLS or name resolution met, in words for people: the one translator of foreign exceptions.

No library is imported for it. An exception is known by what the standard library documents of it (``errno``, ``reason`` and
``verify_code`` of TLS), and what is behind it is looked for through causes, arguments and the attributes of HTTP clients.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NUMBERS: Final = re.compile(r"\[Errno (-?[0-9]{1,4})\]")
_NAMED: Final = re.compile(r"not valid for '([^'\s]{1,253})'")

#: by ``verify_code`` of a certificate, X509_V_ERR_* of OpenSSL
_UNTRUSTED: Final = "the server's certificate was issued by an authority that is not trusted"
_OTHER_NAME: Final = "the server's certificate is for another host name"
_CERTIFICATES: Final[Mapping[int, str]] = {
    2: _UNTRUSTED,
    9: "the server's certificate is not valid yet",
    10: "the server's certificate has expired",
    18: "the server's certificate is self-signed and not trusted",
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    23: "the server's certificate was revoked",
    24: "the server's certificate was issued by something that is not an authority",
    26: "the server's certificate is not made for servers",
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
_NO_TLS: Final = "the server does not speak TLS on this port"
_NOTHING_IN_COMMON: Final = "the server and this program have no TLS version or cipher in common"
_REFUSED: Final = "the server does not accept the client certificate"
_ASKED: Final = "the server requires a client certificate"
_NO_PEM: Final = "it is not PEM"
#: by ``reason`` of an error of TLS
_TLS: Final[Mapping[str, str]] = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "HTTPS_PROXY_REQUEST": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": _NOTHING_IN_COMMON,
    "NO_PROTOCOLS_AVAILABLE": _NOTHING_IN_COMMON,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NOTHING_IN_COMMON,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _NOTHING_IN_COMMON,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _NOTHING_IN_COMMON,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _ASKED,
    "TLSV1_ALERT_UNKNOWN_CA": _REFUSED,
    "TLSV1_ALERT_DECRYPT_ERROR": _REFUSED,
    "TLSV1_ALERT_ACCESS_DENIED": _REFUSED,
    "SSLV3_ALERT_BAD_CERTIFICATE": _REFUSED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _REFUSED,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _REFUSED,
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know this host name",
    "TLSV1_ALERT_INTERNAL_ERROR": "the server ended the TLS handshake with an error of its own",
    "UNEXPECTED_EOF_WHILE_READING": "the server closed the connection in the middle of TLS",
    "CERTIFICATE_VERIFY_FAILED": "the server's certificate cannot be verified",
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
    "PEM_LIB": _NO_PEM,
    "NO_START_LINE": _NO_PEM,
    "NO_CERTIFICATE_OR_CRL_FOUND": _NO_PEM,
    "BAD_DECRYPT": "the key is encrypted, and the password is wrong",
}
_HINTS: Final[Mapping[str, str]] = {
    _CERTIFICATES[9]: "check the clock of this machine, and the certificate on the server",
    _CERTIFICATES[10]: "renew the certificate on the server; check the clock of this machine",
    _CERTIFICATES[23]: "renew the certificate on the server",
    _OTHER_NAME: "use a host name that the certificate is for, or issue it for this one as well",
    _NO_TLS: "write http:// if the server speaks no TLS, or name the port on which it does",
}
#: by ``errno`` of name resolution, EAI_*
_NAMES: Final[Mapping[int, str]] = {
    -2: "the host name cannot be resolved",
    -3: "the host name cannot be resolved at the moment: no name server answered",
    -4: "the host name cannot be resolved: the name server failed",
    -5: "the host name has no address",
}
#: of errors that carry no number; asyncio and http.client make such
_KINDS: Final[tuple[tuple[type[OSError], int], ...]] = (
    (ConnectionRefusedError, errno.ECONNREFUSED),
    (ConnectionResetError, errno.ECONNRESET),
    (ConnectionAbortedError, errno.ECONNABORTED),
    (BrokenPipeError, errno.EPIPE),
    (TimeoutError, errno.ETIMEDOUT),
)
_SYSTEM: Final[Mapping[int, str]] = {
    errno.EPIPE: "the connection was closed",
    errno.ECONNABORTED: "the connection was closed",
    errno.ETIMEDOUT: "no answer in time",
}

#: by the beginning of what the JSON parser says
_JSON: Final[Mapping[str, str]] = {
    "Expecting value": "a value is missing",
    "Expecting ',' delimiter": "a comma is missing",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting property name": "a key in double quotes is missing",
    "Illegal trailing comma": "there is a comma after the last entry",
    "Extra data": "there is text after its end",
    "Unterminated string": "a text has no closing quote",
    "Invalid control character": "a text holds a line break or another control character",
    "Invalid \\": "a text holds an unknown escape after a backslash",
    "Exceeds the limit": "a number is too long",
}


def reason_of(error: BaseException) -> str:
    """Return what the system or TLS said, without the words of a library around it: no ``[Errno 111]``, no class names.

    "" where nothing in *error* or behind it says anything of the kind.
    """
    for cause in _causes(error):
        if isinstance(cause, OSError) and (said := _system_words(cause)):
            return said
        if isinstance(cause, ValueError) and "null byte" in str(cause):
            return "the name holds a NUL character"
    return ""


def hint_of(error: BaseException, otherwise: str) -> str:
    """Return what to do about *error* where its reason has an answer of its own, else *otherwise*."""
    said = reason_of(error)
    return next((hint for reason, hint in _HINTS.items() if said.startswith(reason)), otherwise)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and everything behind it, the nearest first; clients keep it as cause, argument, attribute or table."""
    waiting, met = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in met:
            continue
        met.add(id(cause))
        inner = getattr(cause, "certificate_error", None) or getattr(cause, "os_error", None)
        if isinstance(inner, BaseException):  # of an HTTP client, which is an OSError itself and repeats its number alone
            waiting.insert(0, inner)
            continue
        yield cause
        tried = getattr(cause, "errors", None)  # one for each address, as an SSH client has it
        behind = (
            getattr(cause, "reason", None),
            cause.__cause__,
            cause.__context__,
            *cause.args,
            *(tried.values() if isinstance(tried, dict) else ()),
        )
        waiting += [item for item in behind if isinstance(item, BaseException)]


def _system_words(error: OSError) -> str:
    verified, code = getattr(error, "verify_message", None), getattr(error, "verify_code", None)
    if isinstance(verified, str) and verified:  # ssl.SSLCertVerificationError
        return _certificate_words(verified, code)
    tls = getattr(error, "reason", None)  # of ssl.SSLError a word in capitals
    if isinstance(tls, str) and tls:
        return _TLS.get(tls) or tls.replace("_", " ").lower()
    if hasattr(error, "library"):  # ssl.SSLError without a reason: what a file holds, or a connection that just ended
        return _TLS["UNEXPECTED_EOF_WHILE_READING"] if "EOF" in str(error) else ""
    # asyncio puts words of its own where the system's are; of several addresses it joins the texts
    number = error.errno or next(map(int, _NUMBERS.findall(str(error))), 0)
    number = number or next((number for kind, number in _KINDS if isinstance(error, kind)), 0)
    if number < 0:
        return _NAMES.get(number, "the host name cannot be resolved")
    return (_SYSTEM.get(number) or os.strerror(number).lower()) if number else ""


def _certificate_words(message: str, code: object) -> str:
    words = _CERTIFICATES.get(code) if isinstance(code, int) else None
    if words == _OTHER_NAME:
        named = _NAMED.search(message)
        return f"{words} than {named[1]}" if named else words
    return words or f"the server's certificate cannot be verified: {message[:1].lower()}{message[1:].rstrip('.')}"


def import_reason(error: Exception) -> str:
    """Return why the code of another package does not load, in words for its author: what is missing, or where it failed."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"there is no module {error.name}"
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}, is not valid Python"
    if isinstance(error, AttributeError) and isinstance(error.name, str) and hasattr(error.obj, "__name__"):
        return f"the module {error.obj.__name__} has no {error.name}"
    frame, place = error.__traceback__, ""
    while frame is not None:
        place, frame = f"{frame.tb_frame.f_code.co_filename}, line {frame.tb_lineno}", frame.tb_next
    return f"importing it fails in {place}" + (f": {error}" if str(error) else "")


def json_reason(error: ValueError) -> str:
    """Return why a text is no JSON, in words for people; a position is the caller's to say."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    text = str(getattr(error, "msg", "") or error)  # of json.JSONDecodeError without the position
    return next((words for begin, words in _JSON.items() if text.startswith(begin)), f"{text[:1].lower()}{text[1:]}")
