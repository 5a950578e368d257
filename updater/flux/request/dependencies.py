"""Whether an ImagePolicy may select of its ImageRepository, and what ends it where it may not.

The order is that of the original's controller: its own interval, the ImageRepository and who may refer to it, its image, then
the policy itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.flux.request.image_policies import precedes_dependency
from updater.flux.request.image_repositories import NamespaceAccess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.flux.request.reading import FluxObject
    from updater.flux.request.requests import ImagePolicyRequest, ImageRepositoryRequest, ObjectFault
    from updater.model.problem import Problem

KIND: Final = "ImageRepository"
_GET: Final = "failed to get the referred ImageRepository"
_NO_TAGS: Final = "retrying in 30s error: no tags in database"
#: faults of an ImageRepository that its policies have too
_SHARED: Final = ("ImageURLInvalid", "FeatureGateDisabled")


def dependency_fault(
    item: FluxObject,
    request: ImagePolicyRequest,
    repository: ImageRepositoryRequest | None,
    labels: Mapping[str, str],
    *,
    crosses_namespaces: bool,
) -> ObjectFault | None:
    """Return what ends a policy, its own fault included; *labels* are those of its namespace."""
    own = request.fault
    if own is not None and precedes_dependency(own):
        return own
    refused = _refused(item, request, crosses_namespaces=crosses_namespaces)
    if refused is None and repository is None:
        return _missing(item, request)
    if refused is not None or repository is None:
        return refused
    return _denied(item, repository, labels) or _shared(item, repository) or own or _without_tags(item, request, repository)


def _refused(item: FluxObject, request: ImagePolicyRequest, *, crosses_namespaces: bool) -> ObjectFault | None:
    namespace, name = request.repository
    if crosses_namespaces or namespace == item.key[0]:
        return None
    hint = f"copy the ImageRepository to the namespace {item.key[0]}"
    said = "the ImageRepository is in another namespace, and references to others are switched off"
    problem = item.problem(("spec", "imageRepositoryRef", "namespace"), "cross-namespace", said, hint)
    message = f"{_GET}: cannot access '{KIND}/{namespace}/{name}', cross-namespace references have been blocked"
    return item.fault("AccessDenied", message, problem)


def _missing(item: FluxObject, request: ImagePolicyRequest) -> ObjectFault:
    namespace, name = request.repository
    said = f"there is no {KIND} {namespace}/{name}"
    problem = item.problem((), "reference-missing", said, "create it, or correct spec.imageRepositoryRef")
    gone = f'{KIND}.image.toolkit.fluxcd.io "{name}" not found'
    return item.fault("DependencyNotReady", f"{_GET}: referenced {KIND} does not exist: {gone}", problem)


def _denied(item: FluxObject, repository: ImageRepositoryRequest, labels: Mapping[str, str]) -> ObjectFault | None:
    """Return that an ImageRepository of another namespace does not name this one in its ``accessFrom``."""
    access = repository.admits
    if repository.key[0] == item.key[0] or access(labels):
        return None
    namespace, name = repository.key
    why = f"'{namespace}/{name}' can't be accessed due to ACL labels mismatch on namespace '{item.key[0]}'"
    if isinstance(access, NamespaceAccess) and access.selectors is None:
        why = f"'{namespace}/{name}' can't be accessed due to missing ACL labels on 'accessFrom'"
    elif isinstance(access, NamespaceAccess) and access.error:
        why = access.error
    hint = f"let spec.accessFrom of the ImageRepository {namespace}/{name} select the labels of the namespace {item.key[0]}"
    said = f"the ImageRepository {namespace}/{name} does not admit the namespace {item.key[0]}"
    problem = item.problem((), "access-denied", said, hint)
    return item.fault("AccessDenied", f"{_GET}: access denied: {why}", problem)


def _shared(item: FluxObject, repository: ImageRepositoryRequest) -> ObjectFault | None:
    fault = repository.fault
    if fault is None or fault.reason not in _SHARED:
        return None
    message = fault.message.replace("spec.serviceAccountName for", "spec.serviceAccountName in the ImageRepository for")
    return item.fault(fault.reason, message, _of_repository(item, repository, fault.problem), is_stalled=True)


def _without_tags(item: FluxObject, request: ImagePolicyRequest, repository: ImageRepositoryRequest) -> ObjectFault | None:
    """Return that no tags will ever be known of an ImageRepository that is not scanned."""
    if repository.fault is not None:
        return item.fault("DependencyNotReady", _NO_TAGS, _of_repository(item, repository, repository.fault.problem))
    if not repository.is_suspended or request.latest is not None:
        return None
    namespace, name = repository.key
    said = f"the ImageRepository {namespace}/{name} is suspended, and nothing was selected before"
    problem = item.problem((), "suspended", said, f"resume it: flux resume image repository {name} -n {namespace}")
    return item.fault("DependencyNotReady", _NO_TAGS, problem)


def _of_repository(item: FluxObject, repository: ImageRepositoryRequest, found: Problem | None) -> Problem:
    said = f"the ImageRepository {'/'.join(repository.key)} cannot be scanned"
    return item.problem((), "reference-refused", f"{said}: {found.message}" if found else said, found.hint if found else "")
