"""What an ImageRepository asks for: which image is scanned how often, by which credential, and whose policies may refer to it.

Source: https://fluxcd.io/flux/components/image/imagerepositories/ and the conditions that its controller gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.documents.members import list_in, mapping_in
from updater.errors import ImageSyntaxError, UpdaterError
from updater.flux.request.durations import read_duration
from updater.flux.request.reading import FluxObject, attempt, go_reason, text_in
from updater.flux.request.requests import ImageRepositoryRequest, ObjectFault
from updater.flux.request.selectors import LabelSelector, read_selector
from updater.model.credential import IMAGE_REPOSITORY, SERVICE_ACCOUNT, is_object_name, object_credential
from updater.model.image import parse_name, parse_ref
from updater.settings import checks
from updater.settings.fields import NOT_YET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.image import ImageName
    from updater.model.subscription import CredentialRef

DEFAULT_EXCLUSIONS: Final = (r"^.*\.sig$",)
CLOUDS: Final = ("aws", "azure", "gcp")
GENERIC: Final = "generic"
GATE: Final = "ObjectLevelWorkloadIdentity"
_SHORTEST: Final = 1.0
_AUTHENTICATION: Final = "failed to configure authentication options"


@dataclass(frozen=True, slots=True)
class NamespaceAccess:
    """Whose ImagePolicies may refer to an ImageRepository, besides those of its own namespace.

    *selectors* is None where nothing is said. With *error* one of the selectors cannot be read, in the words of the original.
    """

    selectors: tuple[LabelSelector, ...] | None = None
    error: str = ""

    def __call__(self, labels: Mapping[str, str]) -> bool:
        """Return whether policies of a namespace with these labels may refer to it."""
        return any(selector(labels) for selector in self.selectors or ())


def read_image_repository(item: FluxObject) -> ImageRepositoryRequest:
    """Read an ImageRepository; nothing that stands in it makes this raise."""
    interval = read_duration(item.spec.get("interval"))
    timeout = read_duration(item.spec.get("timeout"))
    image, fault = attempt(item, _image)
    credential, no_access = attempt(item, _credential)
    _, no_scan = attempt(item, _checked)
    usual = interval or 0.0
    return ImageRepositoryRequest(
        key=item.key,
        name=text_in(item.spec, "image"),
        image=image,
        interval=max(usual, _SHORTEST),
        timeout=max(usual if timeout is None else timeout, _SHORTEST),
        credential=credential,
        exclusions=_exclusions(item),
        is_suspended=item.is_suspended,
        requested_at=item.requested_at,
        admits=_access(item),
        fault=_gate(item) or fault or no_access or no_scan,
    )


def _gate(item: FluxObject) -> ObjectFault | None:
    """Return that a cloud's identities of single objects are not switched on; they are not with the original either."""
    if text_in(item.spec, "provider") in {"", GENERIC} or not item.spec.get("serviceAccountName"):
        return None
    message = (
        f"to use spec.serviceAccountName for provider authentication please enable the {GATE} feature gate in the controller"
    )
    hint = "take serviceAccountName out and write provider: generic with a secretRef"
    problem = item.problem(
        ("spec", "serviceAccountName"), NOT_YET, "identities of a cloud are not asked for in this version", hint
    )
    return item.fault("FeatureGateDisabled", message, problem, is_stalled=True)


def _image(item: FluxObject) -> ImageName:
    text = text_in(item.spec, "image")
    try:
        return parse_name(text)
    except ImageSyntaxError as error:
        problem = item.problem(("spec", "image"), error.code, error.message, error.hint)
        raise item.refused("ImageURLInvalid", image_refusal(text), problem, is_stalled=True) from None


def image_refusal(text: str) -> str:
    """Return why an image name is none, in the words of the original."""
    scheme, is_url, _ = text.partition("://")
    if is_url:
        return f"image '{text}' should not include URL scheme; remove '{scheme}://'"
    try:
        ref = parse_ref(text)
    except ImageSyntaxError:
        return f"could not parse reference: {text}"
    first = text.partition("/")[0]
    path = text.removeprefix(first) if ref.name.registry == first.lower() and "/" in text else text
    return f"image '{text}' should not include a tag; remove ':{path.split(':')[1]}'"


def _credential(item: FluxObject) -> CredentialRef | None:
    _check_provider(item)
    names = {name: item.name_in(name) for name in ("secretRef", "certSecretRef", "proxySecretRef")}
    names["serviceAccountName"] = text_in(item.spec, "serviceAccountName") or None
    for field, name in names.items():
        if name is not None and not is_object_name(name):
            kind = "serviceaccounts" if field == "serviceAccountName" else "secrets"
            problem = item.problem(("spec", field), "credential-ref", f"{name!r} is not the name of an object")
            message = f'{_AUTHENTICATION}: {kind} "{name}" not found'
            raise item.refused("AuthenticationFailed", message, problem)
    named = {field: name for field, name in names.items() if name is not None}
    if item.spec.get("insecure") is True or len(named) > 1 or not named.keys() <= {"secretRef", "serviceAccountName"}:
        return object_credential(IMAGE_REPOSITORY, *item.key)
    for field, kind in (("secretRef", "pullsecret"), ("serviceAccountName", SERVICE_ACCOUNT)):
        if field in named:
            return object_credential(kind, item.key[0], named[field])
    return None


def _check_provider(item: FluxObject) -> None:
    provider = item.spec.get("provider")
    if provider is None or provider in ("", GENERIC):
        return
    place = ("spec", "provider")
    if provider not in CLOUDS:
        problem = item.problem(place, "bad-value", f"expected {GENERIC} or {' or '.join(CLOUDS)}")
        raise item.refused("AuthenticationFailed", f"{_AUTHENTICATION}: provider '{provider}' is not supported", problem)
    message = f"the provider {provider} is not asked for credentials in this version"
    hint = f"write provider: {GENERIC} and a secretRef, or wait for the version that has it"
    problem = item.problem(place, NOT_YET, message, hint)
    raise item.refused("AuthenticationFailed", f"{_AUTHENTICATION}: {message}", problem, is_stalled=True)


def _checked(item: FluxObject) -> None:
    """Check what ends a scan: its interval and the expressions that exclude tags; raise `ObjectRefused`."""
    if read_duration(item.spec.get("interval")) is None:
        problem = item.problem(("spec", "interval"), "duration", "this is not a duration", "write interval: 5m")
        raise item.refused("Failure", "spec.interval is not a duration such as 5m", problem, is_stalled=True)
    for index, text in enumerate(_exclusions(item)):
        try:
            checks.check_filter(ignore=f"regexp:{text}")
        except UpdaterError as error:
            problem = item.problem(("spec", "exclusionList", index), error.code, error.message, error.hint)
            message = f"scan failed: failed to compile regex {text}: {go_reason(error.message)}"
            raise item.refused("ReadOperationFailed", message, problem) from None


def _exclusions(item: FluxObject) -> tuple[str, ...]:
    """Return the expressions of tags that never count: an empty list means the default, as with the original."""
    return tuple(text for text in list_in(item.spec, "exclusionList") if isinstance(text, str)) or DEFAULT_EXCLUSIONS


def _access(item: FluxObject) -> NamespaceAccess:
    if not isinstance(item.spec.get("accessFrom"), dict):
        return NamespaceAccess()
    selectors = []
    for selector in list_in(mapping_in(item.spec, "accessFrom"), "namespaceSelectors"):
        try:
            selectors.append(
                read_selector({"matchLabels": selector.get("matchLabels")} if isinstance(selector, dict) else selector)
            )
        except UpdaterError as error:
            return NamespaceAccess(tuple(selectors), error.message)
    return NamespaceAccess(tuple(selectors))
