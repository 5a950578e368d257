"""Makes Applications and ImageUpdaters as the API gives them, in one line each."""

from __future__ import annotations

from datetime import UTC, datetime

from updater.argocd.request import TranslationDefaults, translate
from updater.model.image import parse_ref
from updater.model.outcome import Move, Outcome, Status
from updater.model.report import DestinationLanded, LandingEnd
from updater.model.subscription import GitBranch
from updater.model.update import Change
from updater.model.written import Written

PREFIX = "argocd-image-updater.argoproj.io/"
OWN = "image-updater.gitops/"
GIT = {"write-back-method": "git"}
REPOSITORY = "https://git.test/fleet.git"
DIGEST = "sha256:" + "a" * 64


def annotated(texts: dict | None, own: dict | None = None) -> dict:
    return {PREFIX + key: text for key, text in (texts or {}).items()} | {OWN + key: text for key, text in (own or {}).items()}


def application(annotations=None, *, name="web", namespace="argocd", own=None, images=("ghcr.io/o/web:1.0.0",), **options):
    """An Application; *options*: kind, source, sources, types, labels, owner, version, spec, status."""
    source = {"repoURL": REPOSITORY, "path": "apps/web", "targetRevision": "main"} | options.get("source", {})
    spec = options.get("spec", {"sources": options["sources"]} if "sources" in options else {"source": source})
    types = {"sourceTypes": options["types"]} if "types" in options else {"sourceType": options.get("kind", "Kustomize")}
    metadata = {"name": name, "namespace": namespace, "annotations": annotated(annotations, own)}
    metadata |= {"labels": options["labels"]} if "labels" in options else {}
    metadata |= {"ownerReferences": [{"kind": "ApplicationSet", "name": options["owner"]}]} if "owner" in options else {}
    metadata |= {"uid": f"uid-{namespace}-{name}", "resourceVersion": options["version"]} if "version" in options else {}
    status = options.get("status", types | {"summary": {"images": list(images)}})
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": metadata,
        "spec": spec,
        **({"status": status} if status is not None else {}),
    }


def updater(*references, name="all", namespace="argocd", version=None, **spec):
    metadata = {"name": name, "namespace": namespace} | ({"uid": f"uid-{name}", "resourceVersion": version} if version else {})
    return {
        "apiVersion": "argocd-image-updater.argoproj.io/v1alpha1",
        "kind": "ImageUpdater",
        "metadata": metadata,
        "spec": {"applicationRefs": list(references), **spec},
    }


def reference(pattern="*", *images, **options):
    return {"namePattern": pattern, **({"images": list(images)} if images else {}), **options}


def image(name="ghcr.io/o/web:^1", alias="web", **options):
    return {"alias": alias, "imageName": name, **options}


def run(*applications, updaters=(), **defaults):
    return translate(list(applications), list(updaters), defaults=TranslationDefaults(**defaults))


def one(*applications, updaters=(), **defaults):
    """The only subscription of a translation without a problem."""
    found = run(*applications, updaters=updaters, **defaults)
    assert found.snapshot.problems == ()
    (subscription,) = found.snapshot.subscriptions
    return subscription


def codes(translation) -> list[str]:
    return [problem.code for problem in translation.snapshot.problems]


def outcome_for(application="web", alias="web", *, old=None, new=None, status=Status.UPDATED, detail="", **options):
    """An outcome of one image; with *new* a value of it was written."""
    changes = (Change(path="kustomization.yaml", line=1, where="images[0].newTag", old=old or "", new=new),) if new else ()
    options.setdefault("moves", (Move(old=written(old or ""), new=written(new)),) if new else ())
    key = f"{options.pop('namespace', 'argocd')}/{application}/{alias}"
    return Outcome(key=key, target="", status=status, detail=detail or f"{old} → {new}", changes=changes, **options)


def landed(outcomes, notes=None, **options):
    """A landing that ended so, on the branch from which Applications are read."""
    main = GitBranch(url=REPOSITORY, branch="main")
    options = {"destination": main, "end": LandingEnd.QUIET, "at": datetime(2024, 5, 6, tzinfo=UTC)} | options
    return DestinationLanded(outcomes=tuple(outcomes), notes=notes, **options)


def written(text):
    """What a tag, a digest or a reference says of an image."""
    if "/" not in text:
        return Written(digest=text) if text.startswith("sha256:") else Written(tag=text or None)
    ref = parse_ref(text)
    return Written(name=ref.name.spelled, tag=ref.tag, digest=str(ref.digest) if ref.digest else None)


WEB_OUTCOME = outcome_for(status=Status.UNCHANGED, detail="1.0.0 is already the newest allowed version")
