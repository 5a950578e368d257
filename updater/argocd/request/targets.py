"""Where the peer writes a new image, and says it as targets: files in Git, or the Application itself.

Source: the peer's reference of write-back methods and targets. Paths are relative to the path of the source, or to the
root of the repository where they begin with ``/``.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.argocd.application_source import DEFAULT_NAME, DEFAULT_TAG
from updater.argocd.request.annotations import HELM, KUSTOMIZE
from updater.argocd.request.applications import AppType, written
from updater.argocd.request.layers import FieldProblem, FieldRefused, Setting, read_in
from updater.argocd.request.values import (
    BranchSpec,
    WriteBackMethod,
    WriteBackPlace,
    read_branch,
    read_line,
    read_method,
    read_strategy,
    read_target,
)
from updater.errors import UpdaterError
from updater.model.image import parse_name
from updater.model.publishing import PushBranch, PushTemplate
from updater.model.subscription import (
    CredentialRef,
    Form,
    GitBranch,
    LiveApplication,
    Locator,
    Target,
    has_scp_password,
    shown_url,
)
from updater.model.written import common

if TYPE_CHECKING:
    from updater.argocd.request.applications import Application, ApplicationSource
    from updater.argocd.request.layers import ImageRequest, Settings
    from updater.model.image import ImageName
    from updater.model.written import Written

SOURCE_FILE: Final = "argocd_source"
LIVE: Final = "application"
PLUGIN: Final = ("plugin.name", "plugin.tag", "plugin.spec")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
#: no local paths: whoever may write an Application must not reach the files of the pod that reads it
_SCHEMES: Final = ("https://", "http://", "ssh://")
_GIT_FOLDERS: Final = frozenset({".git", "git~1"})
_SCP_LIKE: Final = re.compile(r"[^:/\s@]+@[^:/\s]+:[^\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBack:
    """How one Application is written: the method, the type it counts as, its source, and the destination."""

    method: WriteBackMethod
    place: WriteBackPlace
    type: AppType
    source: ApplicationSource
    destination: GitBranch | LiveApplication
    path: str = ""


def write_back(application: Application, settings: Settings, *, namespace: str, is_plugin: bool = False) -> WriteBack:
    """Return how *application* is written; *namespace* is that of Argo CD. Raise `FieldRefused`.

    With *is_plugin* an image goes to the environment of a plugin.
    """
    method = read_in(settings, "write-back-method", read_method, default=WriteBackMethod(kind="argocd"))
    place = read_in(settings, "write-back-target", read_target, default=WriteBackPlace())
    kind = _type(application, place, is_plugin=is_plugin)
    source = application.source(kind)
    if source is None:
        raise FieldRefused(
            FieldProblem(place=("spec",), code="no-source", message="the Application has no source", hint="write spec.source")
        )
    if method.kind == "argocd":
        return WriteBack(method=method, place=place, type=kind, source=source, destination=_live(application, settings))
    destination = _branch(application, source, settings, method)
    if source.chart and place.kind in {"", "source"}:
        message = f"the source is the chart {source.chart}, and Argo CD reads overrides of a chart from no repository"
        hint = "name a values file that the chart is given: write-back-target: helmvalues:/<file>"
        raise FieldRefused(FieldProblem(place=(*source.place, "chart"), code="target", message=message, hint=hint))
    path = _path(application, source, place, namespace)
    if isinstance(destination.publishing, PushTemplate):
        named = replace(destination.publishing, stand_in=_stand_in(destination, application, path))
        destination = replace(destination, publishing=named)
    return WriteBack(method=method, place=place, type=kind, source=source, destination=destination, path=path)


def target_for(image: ImageRequest, name: ImageName, how: WriteBack, form: Form, application: Application) -> Target:
    """Return where the image *name* is written; raise `FieldRefused`."""
    editor, locator = _located(image, name, how)
    running = running_for(image, name, application)
    return Target(destination=how.destination, editor=editor, locator=locator, form=form, running=running)


def running_for(image: ImageRequest, name: ImageName, application: Application) -> Written | None:
    """Return what runs of an image; None where nothing does.

    Of several it is those with the configured tag, else with the tag of the first, else, where a digest is followed, all.
    Where their digests differ one of them is stale, and no digest is said to run.
    """
    found = application.running(*live_names(image, name))
    if not found:
        return None
    configured = [ref for ref in found if ref.tag == image.text.rpartition(":")[2]]
    if not configured and read_in(image.settings, "update-strategy", read_strategy, default="semver") == "digest":
        configured = list(found)
    return common(map(written, configured or [ref for ref in found if ref.tag == found[0].tag]))


def live_names(image: ImageRequest, name: ImageName) -> tuple[ImageName, ...]:
    """Return the names under which an image may run: the one that kustomize replaces, then its own."""
    kustomized = image.settings.get(KUSTOMIZE)
    if kustomized is None:
        return (name,)
    try:
        return parse_name(kustomized.read(read_line)), name
    except (UpdaterError, FieldRefused):
        return (name,)


def _type(application: Application, place: WriteBackPlace, *, is_plugin: bool) -> AppType:
    """Return as what an Application is written: the target may decide it, else Argo CD."""
    if place.kind == "kustomization":
        return AppType.KUSTOMIZE
    if place.kind == "helmvalues":
        return AppType.HELM
    kind = application.type
    if is_plugin and kind not in {AppType.PLUGIN, AppType.UNKNOWN}:
        hint = "take manifestTargets.plugin out, or say helm or kustomize"
        message = f"the image goes to a plugin, and the Application is of type {kind}"
        raise FieldRefused(FieldProblem(place=("status", "sourceType"), code="target", message=message, hint=hint))
    if kind is AppType.DIRECTORY:
        hint = "name a kustomization or a values file by write-back-target, or mark the values and name the policy there"
        message = "the Application is of plain manifests, in which Argo CD overrides nothing"
        raise FieldRefused(FieldProblem(place=("status", "sourceType"), code="application-type", message=message, hint=hint))
    if kind is AppType.UNKNOWN:
        hint = "it is known once Argo CD has compared the Application; or write spec.source.helm or spec.source.kustomize"
        message = "what makes the manifests of the Application is not known"
        raise FieldRefused(FieldProblem(place=("status", "sourceType"), code="application-type", message=message, hint=hint))
    return kind


def _live(application: Application, settings: Settings) -> LiveApplication:
    if application.owner:
        at = settings.get("write-back-method")
        message = f"the ApplicationSet {application.owner} made this Application, and would undo what is written to it"
        hint = "write to Git: write-back-method: git"
        place = at.place if at else ("metadata", "ownerReferences")
        raise FieldRefused(FieldProblem(place=place, code="application-set", message=message, hint=hint))
    return LiveApplication(namespace=application.namespace, name=application.name)


def _branch(application: Application, source: ApplicationSource, settings: Settings, method: WriteBackMethod) -> GitBranch:
    given = read_in(settings, "git-repository", read_line, default="")
    at = settings["git-repository"] if given else Setting(source.repository, (*source.place, "repoURL"))
    url = at.read(read_line)
    if not url.startswith(_SCHEMES) and not _SCP_LIKE.fullmatch(url):
        message = f"{shown_url(url)!r} is not a Git repository" if url else "no Git repository is named"
        if has_scp_password(url):
            message = f"the Git URL {shown_url(url)!r} holds a password"
        raise at.flaw(message, code="git-url", hint="write an https or ssh URL, by git-repository or in the source")
    if source.chart and "git-repository" not in settings:
        hint = "name the Git repository of the values by git-repository"
        raise at.flaw(f"the source is the chart {source.chart} of a Helm repository", code="git-url", hint=hint)
    branches = read_in(settings, "git-branch", read_branch, default=BranchSpec())
    base = branches.base or _revision(application, source, url, settings)
    publishing = PushTemplate(branches.push) if "{{" in branches.push else PushBranch(branches.push or base)
    return GitBranch(url=url, branch=base, publishing=publishing, credential=_secret(application, method, settings))


def _revision(application: Application, source: ApplicationSource, url: str, settings: Settings) -> str:
    """Return the branch that the source with this repository follows; "" is the server's default branch."""
    chosen = next((item for item in (source, *application.sources) if item.repository == url), source)
    revision = Setting(chosen.revision, (*chosen.place, "targetRevision")).read(read_line)
    revision = "" if revision == "HEAD" else revision
    if (revision and chosen.chart) or _COMMIT.fullmatch(revision):
        what = f"the version of the chart {chosen.chart}" if chosen.chart else "a commit"
        at = settings.get("git-branch") or Setting(revision, (*chosen.place, "targetRevision"))
        raise at.flaw(f"{revision} is {what}, not a branch", code="git-branch", hint="name the branch by git-branch")
    return revision.removeprefix("refs/heads/")


def _secret(application: Application, method: WriteBackMethod, settings: Settings) -> CredentialRef | None:
    if not method.secret:
        return None
    if method.namespace not in {"", application.namespace}:
        message = f"the Secret {method.namespace}/{method.secret} is not in the namespace of the Application"
        hint = f"put it into {application.namespace}, and write git:secret:{method.secret}"
        raise settings["write-back-method"].flaw(message, code="secret-namespace", hint=hint)
    return CredentialRef(kind="secret", value=f"{application.namespace}/{method.secret}")


def _stand_in(destination: GitBranch, application: Application, path: str) -> str:
    """Return a name of a branch that is nobody else's."""
    key = hashlib.sha256(f"{destination.url}|{destination.branch}|{path}|{application}".encode()).hexdigest()[:8]
    return f"image-updater-{application.namespace}-{application.name}-{key}"


def _path(application: Application, source: ApplicationSource, place: WriteBackPlace, namespace: str) -> str:
    """Return the file that is written, or the folder of the kustomization."""
    if place.kind == "kustomization":
        return _below(source.path, place.path or ".")
    if place.kind == "helmvalues":
        return _below(source.path, place.path or "values.yaml")
    return _below(source.path, place.path or source_file(application, namespace))


def source_file(application: Application, namespace: str) -> str:
    """Name the file of overrides that Argo CD reads beside the manifests of an Application; *namespace* is Argo CD's own."""
    owner = f"{application.namespace}_" if application.namespace != namespace else ""
    return f".argocd-source-{owner}{application.name}.yaml"


def _below(folder: str, path: str) -> str:
    joined = path.lstrip("/") if path.startswith("/") else posixpath.join(folder.strip("/"), path)
    found = posixpath.normpath(joined or ".")
    parts = found.split("/")
    if parts[0] == "..":
        message = f"{path} leads out of the repository from {folder or 'its root'}"
    elif not found.isprintable() or any(part.lower() in _GIT_FOLDERS for part in parts):
        # nobody could check a commit with such a path out any more
        message = f"{found!r} is not a path that Git can check out everywhere"
    else:
        return found
    raise FieldRefused(
        FieldProblem(place=("spec",), code="path", message=message, hint="write a path from the root of the repository: /path")
    )


def _located(image: ImageRequest, name: ImageName, how: WriteBack) -> tuple[str, Locator]:
    if how.place.kind == "kustomization":
        return "kustomize", Locator(path=how.path, name=_text(image, KUSTOMIZE) or name.spelled)
    if how.place.kind == "helmvalues":
        return "helm", _values_locator(image, how)
    editor = SOURCE_FILE if how.destination.method == "git" else LIVE
    path = how.path if editor == SOURCE_FILE else how.source.dotted
    if how.type is AppType.KUSTOMIZE:
        return editor, Locator(path=path, name=_text(image, KUSTOMIZE), spec=name.spelled, section="kustomize")
    if how.type is AppType.PLUGIN:
        return editor, _plugin_locator(image, path)
    parameter, tag, spec = (_text(image, key) for key in HELM)
    if spec:
        return editor, Locator(path=path, spec=spec, section="helm")
    return editor, Locator(path=path, name=parameter or DEFAULT_NAME, tag=tag or DEFAULT_TAG, section="helm")


def _values_locator(image: ImageRequest, how: WriteBack) -> Locator:
    """Name the keys of a values file; the name has one only where somebody says so, since keys are never made up."""
    name, tag, spec = (_text(image, key) for key in HELM)
    if image.alias is None:
        message = f"{image.text} has no alias, so it is not known which values of {how.path} are its own"
        hint = "write alias=image, and <alias>.helm.image-tag"
        raise FieldRefused(FieldProblem(place=image.place, code="target", message=message, hint=hint))
    if spec:
        return Locator(path=how.path, spec=spec)
    return Locator(path=how.path, name=name, tag=tag or DEFAULT_TAG)


def _plugin_locator(image: ImageRequest, path: str) -> Locator:
    name, tag, spec = (_text(image, key) for key in PLUGIN)
    if not (name or spec):
        message = f"{image.text} names no variable of the plugin"
        hint = "write manifestTargets.plugin in an ImageUpdater; or name a values file, write-back-target: helmvalues:<file>"
        raise FieldRefused(FieldProblem(place=image.place, code="target", message=message, hint=hint))
    if spec:
        return Locator(path=path, spec=spec, section="plugin")
    return Locator(path=path, name=name, tag=tag, section="plugin")


def _text(image: ImageRequest, key: str) -> str | None:
    found = image.settings.get(key)
    return (found.read(read_line) or None) if found else None
