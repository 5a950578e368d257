"""Makes subscriptions, readings and views for tests in one line each."""

from __future__ import annotations

from dataclasses import replace

from updater.model.candidate import Candidate
from updater.model.image import parse_digest, parse_name
from updater.model.publishing import PushBranch
from updater.model.selection import Selection
from updater.model.subscription import (
    CommitSpec,
    CredentialRef,
    Form,
    GitBranch,
    Locator,
    Origin,
    PolicySpec,
    Subscription,
    Target,
)
from updater.model.view import Part, PartKind, Reading, View
from updater.model.written import Written


def ref(text: str) -> CredentialRef | None:
    kind, _, value = text.partition(":")
    return CredentialRef(kind=kind, value=value) if text else None


def git_branch(url: str, branch: str = "main", push: str = "", *, credential: str = "") -> GitBranch:
    """A branch that is written straight, or to *push*."""
    return GitBranch(url=url, branch=branch, publishing=PushBranch(push), credential=ref(credential))


BRANCH = GitBranch(url="https://git.test/fleet.git", branch="main")
SHA = "sha256:" + "a" * 64


def target(editor: str = "marker", *, form: Form = Form.TAG, name: str = "ns:app", destination: GitBranch = BRANCH) -> Target:
    return Target(destination=destination, editor=editor, locator=Locator(path=".", name=name), form=form)


def subscription(key: str = "app", image: str = "ghcr.io/o/app", *targets: Target, author: str = "updater") -> Subscription:
    commit_spec = CommitSpec(name=author)
    return Subscription(
        key=key,
        image=parse_name(image),
        policy=PolicySpec("semver", {"range": ">=1"}),
        targets=tuple(replace(item, commit_spec=commit_spec) for item in targets or (target(name=f"ns:{key}"),)),
        origin=Origin(kind="file", name="updater.yaml", line=3),
    )


def reading(text: str = "ghcr.io/o/app:1.0.0", path: str = "a.yaml", *, where: str = "image", line: int = 1) -> Reading:
    """A full reference written at one place."""
    rest, _, digest = text.partition("@")
    name, _, tag = rest.rpartition(":") if ":" in rest.rpartition("/")[2] else (rest, "", "")
    return Reading(
        path=path,
        where=where,
        line=line,
        setter="ns:app",
        parts=(Part(kind=PartKind.REFERENCE, line=line, where=where, text=text),),
        written=Written(name=name or rest, tag=tag or None, digest=digest or None),
    )


def part_reading(kind: PartKind, text: str, path: str = "a.yaml", where: str = "newTag") -> Reading:
    """One part of an image written at one place."""
    written = {PartKind.TAG: Written(tag=text), PartKind.NAME: Written(name=text), PartKind.DIGEST: Written(digest=text)}[kind]
    part = Part(kind=kind, line=2, where=where, text=text)
    return Reading(path=path, where=where, line=2, setter="ns:app", parts=(part,), written=written)


def view(*readings: Reading, key: str = "app", head: str = "1" * 40, destination: GitBranch = BRANCH) -> View:
    return View(destination=destination, head=head, readings={(key, 0): readings}, problems={}, pending={})


def chosen(tag: str, digest: str | None = None, status: str = "updated") -> Selection:
    candidate = Candidate(tag=tag, digest=parse_digest(digest) if digest else None)
    return Selection(status=status, chosen=candidate, rejections={})


def held(tag: str, code: str = "downgrade") -> Selection:
    return Selection(status="held", chosen=None, held=Candidate(tag=tag), code=code, detail=f"{tag} is lower", rejections={})
