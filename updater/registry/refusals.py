"""Map each status of a registry, and each failure to reach it, to an error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from updater.errors import (
    ConfigError,
    ImageNotFound,
    RateLimited,
    RegistryDenied,
    RegistryProtocolError,
    RegistryUnavailable,
)
from updater.http.exchange import FailureKind
from updater.http.redaction import told

if TYPE_CHECKING:
    from updater.errors import RegistryError, UpdaterError
    from updater.http.exchange import HttpFailure, Response

_CODES: Final = {
    FailureKind.TOO_LARGE: "registry-too-large",
    FailureKind.REDIRECT: "registry-redirect",
    FailureKind.PROTOCOL: "registry-protocol",
}
_TOO_LARGE: Final = (
    "check what answers at this address; if it is meant to be so large, raise registry_limits.page_bytes for a list of tags,"
    " registry_limits.manifest_bytes for a manifest"
)


def refusal(answer: Response, what: str, *, retry_after: float | None = None) -> RegistryError:
    """Return the error for an answer that is not what was asked for; *what* names the image or server.

    401 and 403 are `RegistryDenied`, 404 and 410 `ImageNotFound`, 429 `RateLimited`, 407, 408 and 5xx
    `RegistryUnavailable`, all else `RegistryProtocolError` (distribution specification, "Error Codes").
    """
    status = answer.status
    said = _said(answer)
    if status in {401, 403}:
        denied = RegistryDenied(f"{what}: access denied ({said})", hint="set credentials that may pull it; or check its spelling")
        return with_origins(denied, what, answer.asked_by)
    if status in {404, 410}:
        return ImageNotFound(f"{what}: not found ({said})", hint="check the spelling, the registry and its path")
    if status == 429:
        hint = "lower rate or raise interval for this registry; credentials often raise the limit"
        return RateLimited(f"{what}: too many requests ({said})", hint=hint, retry_after=retry_after)
    if status == 408 or status >= 500:
        return RegistryUnavailable(f"{what}: the registry returned {said}", hint="it is retried with the next scan")
    if status == 407:
        hint = "check the proxy's URL, its rules and credentials"
        return RegistryUnavailable(f"{what}: the proxy on the way to the registry returned {said}", hint=hint)
    hint = "check that the URL is a registry's that speaks the OCI distribution protocol, version 2"
    return RegistryProtocolError(f"{what}: an answer we cannot use ({said})", hint=hint)


def with_origins(denied: RegistryDenied, what: str, origins: str) -> RegistryDenied:
    """Return *denied* naming *what* was asked for, and in *origins* where the credentials that were refused are read."""
    message = denied.message if denied.message.startswith(f"{what}:") else f"{what}: {denied.message}"
    if not origins:
        return RegistryDenied(message, hint=denied.hint, code=denied.code)
    hint = f"check {origins}, and whether it may pull the image; or check the spelling of the image"
    return RegistryDenied(f"{message}; refused was the credential from {origins}", hint=hint, code=denied.code)


def unreachable(failure: HttpFailure, what: str) -> UpdaterError:
    """Return the error for an exchange that gave no answer."""
    message = f"{what}: {failure.message}"
    if failure.trouble is FailureKind.SETTINGS:
        return ConfigError(message, hint=failure.hint, code="registry-tls-files")
    if failure.trouble is FailureKind.PAUSED:
        return RateLimited(message, hint=failure.hint, retry_after=failure.retry_after)
    if failure.trouble is FailureKind.TLS:
        return RegistryUnavailable(message, hint=failure.hint, code="registry-tls")
    if failure.trouble is FailureKind.TOO_SLOW:
        return RegistryUnavailable(message, hint=failure.hint, code="registry-too-slow")
    if failure.trouble is FailureKind.TOO_LARGE:
        return RegistryProtocolError(message, hint=_TOO_LARGE, code=_CODES[failure.trouble])
    if failure.trouble in _CODES:
        return RegistryProtocolError(message, hint=failure.hint, code=_CODES[failure.trouble])
    return RegistryUnavailable(message, hint=failure.hint)


def _said(answer: Response) -> str:
    """Return status and the first error that the body names, on one line of bounded length, without what we showed."""
    try:
        first = json.loads(answer.body)["errors"][0]
        text = f"{first['code']} {first.get('message') or ''}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        text = ""
    return f"{answer.status} {told(text, most=160, secrets=answer.secrets)}".strip()
