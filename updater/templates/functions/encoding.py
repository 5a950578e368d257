"""Sprig's encodings and checksums.

Source: https://masterminds.github.io/sprig/encoding.html, crypto.html (the checksums alone: they need no secret and no chance)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from typing import TYPE_CHECKING, Final

from updater.templates.functions.signature import Function, declare
from updater.templates.values import from_octets, octets

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALPHABETS: Final = {
    64: re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"),
    32: re.compile(r"(?:[A-Z2-7]{8})*(?:[A-Z2-7]{2}={6}|[A-Z2-7]{4}={4}|[A-Z2-7]{5}===|[A-Z2-7]{7}=)?"),
}
_FOREIGN: Final = {64: re.compile(r"[^A-Za-z0-9+/\r\n]"), 32: re.compile(r"[^A-Z2-7\r\n]")}


def _decode(base: int, text: str) -> str:
    """Decode, or give the sentence that sprig gives in place of an error, with the position of the first wrong byte."""
    stripped = text.replace("\r", "").replace("\n", "")
    found = _ALPHABETS[base].match(stripped)
    if found is None or found.end() != len(stripped):
        return f"illegal base{base} data at input byte {_wrong_byte(base, text)}"
    try:
        data = base64.b64decode(stripped) if base == 64 else base64.b32decode(stripped)
    except (binascii.Error, ValueError):
        return f"illegal base{base} data at input byte {len(text)}"
    return from_octets(data)


def _wrong_byte(base: int, text: str) -> int:
    found = _FOREIGN[base].search(text)
    return found.start() if found else len(text) // (base // 16) * (base // 16)


ENCODING: Final[Mapping[str, Function]] = {
    "adler32sum": declare(lambda text: str(zlib.adler32(octets(text))), "s"),
    "b32dec": declare(lambda text: _decode(32, text), "s"),
    "b32enc": declare(lambda text: base64.b32encode(octets(text)).decode(), "s"),
    "b64dec": declare(lambda text: _decode(64, text), "s"),
    "b64enc": declare(lambda text: base64.b64encode(octets(text)).decode(), "s"),
    "sha1sum": declare(lambda text: hashlib.sha1(octets(text), usedforsecurity=False).hexdigest(), "s"),
    "sha256sum": declare(lambda text: hashlib.sha256(octets(text)).hexdigest(), "s"),
    "sha512sum": declare(lambda text: hashlib.sha512(octets(text)).hexdigest(), "s"),
}
