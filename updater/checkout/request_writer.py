"""How the requests of `set` are written to a push branch: on the tree of the branch that is read, away from the checkout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from updater.checkout.commit import RevisionFiles, SingleFile, commit_text, singles
from updater.checkout.edit import KeyRequest, SetRequest, SetResult, edit_files
from updater.errors import ImageSyntaxError
from updater.git.faults import fault
from updater.git.object_builder import NewCommit
from updater.git.trailers import add_trailers
from updater.model.image import ImageName, ImageRef, parse_name
from updater.model.subscription import Locator, Target
from updater.model.update import Commit, Update, WriteResult
from updater.model.view import Reading, View
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from updater.checkout.edit import NamedRequest
    from updater.git.mirror import Mirror
    from updater.git.object_builder import Identity
    from updater.git.tree import RevisionTree
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.model.update import Change

ORIGIN: Final = "updater set"
_POLICY: Final = "as given"
_SHARED_HINT: Final = "name another branch by --branch"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedPlace:
    """Where requests hold: below *prefix* ("" or a path with a slash at the end), in the one file *only* unless that is None."""

    prefix: str
    only: str | None

    def named(self, name: str) -> str:
        """Return what tells a request from one of the same name elsewhere: it is the key of its change."""
        return f"{self.prefix}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCommit:
    """How requests are committed: *message* (None: say what changed), who did it, when. By the committer it is known as ours."""

    message: str | None
    author: Identity
    committer: Identity
    now: Callable[[], datetime]


class RequestWriter:
    """Reads and writes the push branch of requests, as `ProposalWriter` asks for it.

    `updates` are the requests as updates, each a change that people may decide against; `written` is what the last edit came to.
    """

    def __init__(
        self, mirror: Mirror, destination: GitBranch, requests: SetRequest, place: RequestedPlace, pen: RequestCommit
    ) -> None:
        self._mirror = mirror
        self._place = place
        self._pen = pen
        self._requests = requests
        self.updates = {_update(request, destination, place): request for request in singles(requests)}
        self.written = SetResult()

    async def look(self, destination: Destination, _subscriptions: Sequence[Subscription]) -> View:
        """List both branches and fetch the one that is read; raise `GitError` ``branch-missing`` where it does not exist."""
        assert destination.method == "git"  # noqa: S101 - `set` has no other destination
        head = await self._mirror.look(destination.branch, destination.push)
        if head.revision is None:
            message = f"{self._mirror} has no branch {destination.branch!r}"
            raise fault("branch-missing", message, hint="name the branch to merge into by --base")
        await self._mirror.fetch(destination.branch, at={destination.branch: head.revision})
        return View(
            destination=destination,
            head=head.revision,
            push_head=head.heads.get(destination.push),
            readings={},
            problems={},
            pending={},
        )

    async def wanted(self, view: View) -> tuple[Update, ...]:
        """Return what has to change on the branch that is read."""
        edited, changes = await self._edited(view, tuple(self.updates))
        self.written = edited
        return tuple(update for update in self.updates if changes.get(update))

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Edit on the tree that was looked at, as one commit, and push it over what we pushed before.

        Raises `PushRefused` where a branch moved since, and where the push branch holds what others wrote.
        """
        updates = [update for commit in commits for update in commit.updates]
        self.written, changes = await self._edited(view, updates)
        landed = WriteResult(changes=changes, refused={}, revisions={}, edits=self.written.edits, is_dry=is_dry)
        if is_dry or not self.written.edits:
            return landed
        branch = view.destination
        assert branch.method == "git"  # noqa: S101 - see `look`
        await self._require_own(view, branch)
        new = self._commit(updates, branch.push)
        pushed = await self._mirror.land(
            base=view.head, branch=branch.push, expected=view.push_head, commits=[new], over=view.head
        )
        if pushed.is_unchanged or pushed.revision is None:
            return landed
        return replace(landed, revisions=dict.fromkeys((item for item in updates if changes.get(item)), pushed.revision))

    async def _edited(self, view: View, updates: Sequence[Update]) -> tuple[SetResult, Mapping[Update, tuple[Change, ...]]]:
        """Return what *updates* come to on the branch that is read, and which change is whose."""
        assert view.head is not None  # noqa: S101 - a look without a head raises
        asked = self._request(updates)
        return await self._mirror.tree(view.head, partial(self._edit, asked=asked, updates=updates))

    def _edit(
        self, tree: RevisionTree, *, asked: SetRequest, updates: Sequence[Update]
    ) -> tuple[SetResult, Mapping[Update, tuple[Change, ...]]]:
        found = edit_files(RevisionFiles(tree, self._place.prefix, self._place.only), asked)
        return found, {update: tuple(self._changes(found, self.updates[update])) for update in updates}

    def _changes(self, found: SetResult, request: SetRequest) -> Iterator[Change]:
        """Yield what one request changes in the files that changed, with the path from the root of the repository."""
        for edit in found.edits:
            for change in (
                change for alone in edit_files(SingleFile(edit.path, edit.before), request).edits for change in alone.changes
            ):
                yield replace(change, path=f"{self._place.prefix}{change.path}")

    def _request(self, updates: Sequence[Update]) -> SetRequest:
        """Return the requests of *updates* in one request."""
        requests = [self.updates[update] for update in updates]
        return replace(
            self._requests,
            markers=tuple(item for request in requests for item in request.markers),
            entries=tuple(item for request in requests for item in request.entries),
            keys=tuple(item for request in requests for item in request.keys),
        )

    def _commit(self, updates: Sequence[Update], push: str) -> NewCommit:
        text = self._pen.message or commit_text(self._request(updates), self.written, self._place.prefix)
        names = [update.subscription for update in updates]
        images = [str(update.image) for update in updates if not self.updates[update].keys]
        return NewCommit(
            message=add_trailers(text, subscriptions=names, images=images, branches=[push]),
            author=self._pen.author,
            committer=self._pen.committer,
            files={f"{self._place.prefix}{edit.path}": edit.after for edit in self.written.edits},
            when=self._pen.now(),
        )

    async def _require_own(self, view: View, branch: GitBranch) -> None:
        """Raise `PushRefused` ``branch-not-ours`` where the push branch holds changes that were asked for elsewhere.

        It is made anew from its base, which would take them away.
        """
        if view.push_head is None or view.head is None or view.push_head == view.head:
            return
        below = {past.revision for past in await self._mirror.history(view.head)}
        above = [past for past in await self._mirror.history(view.push_head) if past.revision not in below]
        mine = {update.subscription for update in self.updates}
        others = sorted({key for past in above for key in past.subscriptions} - mine)
        if others:
            message = f"the branch {branch.push} holds changes of {', '.join(others[:3])}, which this command does not ask for"
            raise fault("branch-not-ours", message, hint=_SHARED_HINT)


def _update(request: SetRequest, destination: GitBranch, place: RequestedPlace) -> Update:
    """Return a single request as an update: what it is called, where it is written, and what."""
    editor, one = next((name, item) for name, items in _by_editor(request) for item in items)
    name, image = _shown(one)
    locator = Locator(path=place.named(place.only or ""), name=name)
    return Update(
        subscription=place.named(name),
        target=Target(destination=destination, editor=editor, locator=locator),
        reading=Reading(path=locator.path, where=name, line=1, setter=name, parts=(), written=Written()),
        image=image,
        written_as=image,
        policy=_POLICY,
        origin=ORIGIN,
    )


def _by_editor(request: SetRequest) -> tuple[tuple[str, Sequence[NamedRequest | KeyRequest]], ...]:
    return ("marker", request.markers), ("kustomize", request.entries), ("helm", request.keys)


def _shown(one: NamedRequest | KeyRequest) -> tuple[str, ImageRef]:
    """Return the name of a request, and its image; a value that names no image is shown as a tag of its place."""
    if isinstance(one, KeyRequest):
        return f"{one.file}:{one.key}", _place(one.key, one.value)
    spelled = one.image.name.spelled
    try:
        parse_name(spelled)
    except ImageSyntaxError:
        return one.name, _place(one.name, spelled)
    return one.name, one.image


def _place(name: str, value: str) -> ImageRef:
    return ImageRef(name=ImageName(registry="", path=name, spelled=name), tag=value)
