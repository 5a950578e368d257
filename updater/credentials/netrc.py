"""The logins of the user's ``.netrc``: what the git program shows to an HTTPS server where nothing else is given.

Only an entry for exactly this host counts, never the entry ``default``, which would be shown to any host.
"""

from __future__ import annotations

from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from updater.errors import ConfigError
from updater.model.credential import Credential
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_HINT = "correct the file, or give this repository credentials under git.repositories"


def netrc_login(url: str, environment: Mapping[str, str]) -> tuple[Credential, str] | None:
    """Return what ``$NETRC``, else ``~/.netrc``, has for the host of an HTTPS *url*, and the path of the file.

    None where there is no file or no entry, and where *url* names another user or a password itself. Raises `ConfigError`
    ``credential-format`` for a file that cannot be read.
    """
    parts = urlsplit(url)
    file = _file(environment)
    if parts.scheme.lower() != "https" or parts.password or file is None:
        return None
    try:
        entry = netrc(str(file)).hosts.get(parts.hostname or "")
    except (NetrcParseError, UnicodeDecodeError) as error:  # its words may repeat a password
        line = f", line {error.lineno}" if isinstance(error, NetrcParseError) and error.lineno else ""
        raise ConfigError(f"{file}{line}: this is no netrc file", hint=_HINT, code="credential-format") from None
    except OSError as error:
        raise ConfigError(f"{file}: {reason_of(error)}", hint=_HINT, code="credential-format") from error
    if entry is None or parts.hostname is None or (parts.username and parts.username != entry[0]):
        return None
    return Credential(username=entry[0], password=entry[2]), str(file)


def _file(environment: Mapping[str, str]) -> Path | None:
    named, home = environment.get("NETRC", ""), environment.get("HOME", "")
    file = Path(named) if named else Path(home) / ".netrc" if home else None
    return file if file is not None and file.is_file() else None
