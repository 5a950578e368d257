"""Sprig's functions on slash-separated paths and on URLs.

Source: https://masterminds.github.io/sprig/paths.html, url.html; https://pkg.go.dev/path. The ``os…`` names mean the same
here: no template depends on the machine it runs on.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit

from updater.templates.functions.faults import fault
from updater.templates.functions.signature import Function, declare
from updater.templates.values import type_name

if TYPE_CHECKING:
    from collections.abc import Mapping


_WRONG_URL: Final = re.compile(r"^:|[\x00-\x1f\x7f]|%(?![0-9A-Fa-f]{2})|^[^/?#]*//[^/?#]*\s")


def _base(path: str) -> str:
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def _clean(path: str) -> str:
    cleaned = posixpath.normpath(path) if path else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


def _folder(path: str) -> str:
    return _clean(path[: path.rfind("/") + 1])


def _extension(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


def _parse(text: str) -> dict[str, object]:
    try:
        parts = urlsplit(text)
        hostname = parts.netloc.rpartition("@")[2]
        is_wrong = _WRONG_URL.search(text) is not None or (parts.port or 0) < 0
    except ValueError as error:
        raise fault(f"{text!r} is not a URL", hint="check its host and its port") from error
    if is_wrong:
        raise fault(f"{text!r} is not a URL", hint="check its scheme, its host and its % escapes")
    user, at, host = parts.netloc.rpartition("@")
    is_opaque = bool(parts.scheme) and not parts.netloc and bool(parts.path) and not parts.path.startswith("/")
    return {
        "scheme": parts.scheme,
        "host": host,
        "hostname": _bare_host(hostname),
        "path": "" if is_opaque else unquote(parts.path),
        "query": parts.query,
        "opaque": parts.path if is_opaque else "",
        "fragment": unquote(parts.fragment),
        "userinfo": user if at else "",
    }


def _bare_host(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _join(parts: dict[Any, Any]) -> str:
    scheme, host, path, query = (_part(parts, name) for name in ("scheme", "host", "path", "query"))
    opaque, fragment, user = (_part(parts, name) for name in ("opaque", "fragment", "userinfo"))
    made = f"{scheme}:" if scheme else ""
    if opaque:
        made += opaque
    else:
        if scheme or host or user:
            made += "//" if host or path or user else ""
            made += (f"{user}@" if user else "") + host
        made += ("/" if path and not path.startswith("/") and host else "") + quote(path, safe="/$&+,:;=@~!*'()")
    return made + (f"?{query}" if query else "") + (f"#{quote(fragment, safe=_FRAGMENT)}" if fragment else "")


_FRAGMENT: Final = "/?$&+,:;=@~!*'()"


def _part(parts: dict[Any, Any], name: str) -> str:
    value = parts.get(name, "")
    if not isinstance(value, str):
        raise fault(f"{name} of a URL is a string, not a {type_name(value)}")
    return value


def _is_absolute(path: str) -> bool:
    return path.startswith("/")


PATHS: Final[Mapping[str, Function]] = {
    "base": declare(_base, "s"),
    "clean": declare(_clean, "s"),
    "dir": declare(_folder, "s"),
    "ext": declare(_extension, "s"),
    "isAbs": declare(_is_absolute, "s"),
    "osBase": declare(_base, "s"),
    "osClean": declare(_clean, "s"),
    "osDir": declare(_folder, "s"),
    "osExt": declare(_extension, "s"),
    "osIsAbs": declare(_is_absolute, "s"),
    "urlJoin": declare(_join, "m"),
    "urlParse": declare(_parse, "s"),
}
