"""Connections through a proxy that passes bytes on: SOCKS 5 for every carrier, and HTTP CONNECT for SSH.

HTTP proxies for HTTP itself are urllib3's. The name of the Git server is resolved by the proxy. The library is imported when the
first such proxy is used (docs/decisions/0297).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from updater.git.faults import fault
from updater.reasons import reason_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_SOCKS: Final = frozenset({"socks5", "socks5h"})
_PORTS: Final = {"http": 80, "socks5": 1080, "socks5h": 1080}
_DENIED: Final = frozenset({407})
_AUTHENTICATION: Final = "authentication"


def socks_dialler(proxy: str | None, seconds: float) -> Callable[[str, int], socket.socket] | None:
    """Return what connects to a host and port through *proxy*, None where that is no SOCKS proxy."""
    if proxy is None or proxy.partition("://")[0].lower() not in _SOCKS:
        return None
    return partial(open_tunnel, proxy, seconds=seconds)


def open_tunnel(proxy: str, host: str, port: int, *, seconds: float) -> socket.socket:
    """Return a socket to *host* and *port* through *proxy*, a URL of the scheme socks5, socks5h or http.

    Raises `GitError`: ``git-url`` for another proxy, ``git-proxy`` where it refuses its user, ``git-unreachable`` and
    ``git-timeout``.
    """
    from python_socks import ProxyError, ProxyTimeoutError, ProxyType  # noqa: PLC0415 - most never need it
    from python_socks.sync import Proxy  # noqa: PLC0415 - only SOCKS proxies need it

    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise fault("git-url", f"a proxy of the scheme {parts.scheme} cannot carry this connection", hint="use http or socks5")
    place = f"the proxy {parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
    dialler = Proxy(
        ProxyType.HTTP if parts.scheme == "http" else ProxyType.SOCKS5,
        parts.hostname,
        parts.port or _PORTS[parts.scheme],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password or "") if parts.username else None,
        rdns=True,
    )
    try:
        return dialler.connect(host, port, timeout=seconds)
    except ProxyError as error:
        is_denied = error.error_code in _DENIED or _AUTHENTICATION in str(error).lower()
        raise fault(
            "git-proxy" if is_denied else "git-unreachable", f"{place} does not connect to {host}:{port}: {error}"
        ) from error
    except (ProxyTimeoutError, TimeoutError) as error:
        raise fault("git-timeout", f"{place} did not connect to {host}:{port} within {seconds:.0f} s") from error
    except OSError as error:
        raise fault("git-unreachable", f"{place} cannot be reached: {reason_of(error) or 'no answer'}") from error
