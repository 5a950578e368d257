"""Map unsuccessful answers of the API server to errors.

The body of an error is a Status object (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from updater.errors import KubeConflict, KubeDenied, KubeError, KubeGone, KubeUnavailable
from updater.http.exchange import FailureKind

if TYPE_CHECKING:
    from updater.http.exchange import HttpFailure

_LONGEST_MESSAGE: Final = 400
_PASSING: Final = frozenset(
    {FailureKind.UNREACHABLE, FailureKind.TIMEOUT, FailureKind.BROKEN, FailureKind.DOWN, FailureKind.PAUSED}
)


def status_of(body: bytes) -> dict[str, Any]:
    """Read a body as a Status; empty where it is none."""
    try:
        found = orjson.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def error_of(status: int, body: dict[str, Any], *, asked: str, retry_after: float | None = None) -> KubeError:
    """Make the error of an answer. *asked* says what was asked, such as "patch Application argocd/shop"."""
    said = f"cannot {asked}: {_message(status, body)}"
    match status:
        case 401:
            hint = "renew the token or certificate that is used; check the context of the kubeconfig or the service account"
            return KubeDenied(said, hint=hint)
        case 403:
            return KubeDenied(said, hint="grant it by a Role or ClusterRole that is bound to this account")
        case 404:
            named = isinstance(details := body.get("details"), dict) and details.get("name")
            hint = "make it, or mend its name and namespace" if named else "check whether the definition of its kind is installed"
            return KubeGone(said, code="kube-not-found", hint=hint)
        case 409:
            return KubeConflict(said, hint="somebody else changed it or owns that field; it is read again and re-evaluated")
        case 410:
            return KubeGone(said, hint="the version asked for is no longer kept; the list is read again")
        case 429 | 500 | 502 | 503 | 504 | 408:
            hint = "the API server is busy or starting; it is asked again"
            return KubeUnavailable(said, hint=hint, retry_after=retry_after or _seconds(body))
        case 422 | 400:
            return KubeError(
                said, code="kube-invalid", hint="the object is not what its definition allows; the message names the field"
            )
        case _:
            return KubeError(said, hint=f"it answered with status {status}; look into its log")


def ended(event: dict[str, Any], *, asked: str) -> KubeGone:
    """Make the error of an ERROR event, sent with status 200: a watch cannot go on from its version, whatever the code.

    Most say 410; where etcd compacted what an event needs, the same version would be answered with the same 500 for ever.
    """
    return KubeGone(f"cannot {asked}: {_message(410, event)}", hint="the list is read again; nothing is lost")


def failure_of(failure: HttpFailure, *, asked: str) -> KubeError:
    """Make the error of an exchange that gave no answer.

    A certificate whose key does not fit may be half of a renewal, and fits a moment later: it is no error of the configuration.
    """
    said = f"cannot {asked}: {failure.message}"
    if failure.trouble in _PASSING:
        return KubeUnavailable(said, hint=failure.hint, retry_after=failure.retry_after)
    match failure.trouble:
        case FailureKind.TLS:
            hint = "set the cluster's certificate authority in the kubeconfig; check the server's name and the client certificate"
            return KubeUnavailable(said, code="kube-tls", hint=hint)
        case FailureKind.SETTINGS:
            return KubeDenied(said, code="kube-login", hint="check authority, client certificate and key: PEM texts, no password")
        case FailureKind.TOO_LARGE:
            hint = "no API server keeps an object so large: check that a Kubernetes API server answers at this address"
            return KubeError(said, code="kube-too-large", hint=hint)
        case _:
            return KubeError(said, code="kube-protocol", hint="check that a Kubernetes API server answers at this address")


def outside_protocol(asked: str, what: str) -> KubeError:
    """Make the error of an answer that no API server gives."""
    hint = "check that a Kubernetes API server answers at this address, and no proxy in between"
    return KubeError(f"cannot {asked}: {what}", code="kube-protocol", hint=hint)


def _message(status: int, body: dict[str, Any]) -> str:
    message = body.get("message")
    text = message if isinstance(message, str) and message else f"status {status}"
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def _seconds(body: dict[str, Any]) -> float | None:
    details = body.get("details")
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return float(seconds) if isinstance(seconds, int) and not isinstance(seconds, bool) and seconds > 0 else None
