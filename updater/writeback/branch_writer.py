"""How a Git branch is read as a view, and how updates become commits on it.

Reading asks each editor what is written at each target; answers are remembered per blob, so that a second
look at the same content parses nothing. Writing edits on top of the tree that was looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from updater.errors import GitError, UpdaterError
from updater.git.faults import fault
from updater.git.object_builder import Identity, NewCommit
from updater.git.trailers import add_trailers, without_trailers
from updater.git.tree import check_path
from updater.model.checkout_ref import RefKind
from updater.model.problem import Problem
from updater.model.publishing import PushTemplate
from updater.model.subscription import shown_url
from updater.model.update import WriteResult
from updater.model.view import View
from updater.writeback.file_edits import CommitDraft, CommitDrafter
from updater.writeback.message import branch_name
from updater.writeback.reading import searches_of
from updater.writeback.second_push import OwedPushes, manner_of
from updater.writeback.target_reader import TargetReader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from updater.editors.base import Editor
    from updater.git.mirror import Head, Mirror
    from updater.git.signing import Signer
    from updater.git.tree import Tree
    from updater.model.checkout_ref import CheckoutRef
    from updater.model.subscription import CommitSpec, Destination, GitBranch, Subscription
    from updater.model.update import Change, Commit, Update
    from updater.model.view import PastCommit
    from updater.writeback.second_push import Publisher

REMEMBERED_VIEWS: Final = 4096
#: how a server ends that is asked for a commit which it does not have, or does not show: by words, a broken answer, hanging up
_NOT_GIVEN: Final = frozenset({"push-refused", "git-interrupted", "git-protocol"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitSettings:
    """What a commit is written with.

    *message* gives its text from the updates and what they changed, *signer* the signer that a commit spec names, *now* the
    time. *rule* names everything that decides which files the marker editor wants. *publish* returns who has the commits of a
    branch made by its server, None where they are pushed.
    """

    message: Callable[[Commit, Mapping[Update, tuple[Change, ...]]], str]
    signer: Callable[[str], Awaitable[Signer | None]]
    now: Callable[[], datetime]
    rule: str = ""
    publish: Callable[[GitBranch], Publisher | None] = lambda _branch: None


class GitWriter:
    """Reads and writes branches through the mirrors of their repositories.

    *mirror* gives the mirror that reaches a branch: of its URL, by its credential. *known* gives every name that a marker
    may carry. *count* is told of each look and landing and how it ended, *learned* of the default branch that a server tells.
    """

    def __init__(
        self,
        *,
        mirror: Callable[[GitBranch], Mirror],
        editors: Mapping[str, Editor],
        pen: CommitSettings,
        known: Callable[[], frozenset[str]] = frozenset,
        count: Callable[[str, str], None] = lambda _name, _label: None,
        learned: Callable[[GitBranch, str], None] = lambda _branch, _default: None,
    ) -> None:
        self._mirror = mirror
        self._editors = editors
        self._pen = pen
        self._known = known
        self._count = count
        self._learned = learned
        self.targets = TargetReader(editors, pen.rule)
        self._views: dict[Destination, tuple[tuple[Subscription, ...], View]] = {}
        self._named: dict[Destination, GitBranch] = {}
        self._owed = OwedPushes()

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Read heads and every target; the same heads and subscriptions give the remembered view."""
        branch = _as_branch(destination)
        mirror = self._mirror(branch)
        head = await mirror.look(branch.branch, branch.push, ref=branch.ref)
        if head.default:
            self._learned(branch, head.default)
        if head.revision is None:
            raise _no_branch(branch, head)
        await self._owed.settle(mirror, branch, head.heads.get(branch.push or head.branch))
        concerned = tuple(subscriptions)
        remembered = self._views.get(branch)
        named = self._named[branch] = _named(branch, head)
        push_head = head.heads.get(named.push)
        if (
            remembered
            and remembered[0] == concerned
            and (remembered[1].head, remembered[1].push_head) == (head.revision, push_head)
        ):
            # what is remembered stands on objects, and they may be gone: a quiet pass mends the mirror too
            await mirror.fetch(*_heads(named, head.revision, push_head))
            self._count("updater_looks_total", "same")
            return remembered[1]
        view = await self._read(mirror, (branch, named), concerned, (head.revision, push_head))
        self._count("updater_looks_total", "read")
        if len(self._views) >= REMEMBERED_VIEWS:
            self._views.clear()
        self._views[branch] = (concerned, view)
        return view

    def keep(self, branches: Collection[GitBranch]) -> None:
        """Forget what was read of every branch but *branches*."""
        self.targets.keep(branches)
        self._views = {branch: seen for branch, seen in self._views.items() if branch in branches}
        self._named = {branch: named for branch, named in self._named.items() if branch in branches}
        self._owed.keep(branches)

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Edit on top of the tree that was looked at: one commit for each commit spec, one push.

        A commit spec whose key cannot be had is refused, and the others are written. Raises `PushRefused` if the branch moved
        since the look, and other `GitError`.
        """
        signers, refused = await _signers(self._pen, commits)
        kept = [commit for commit in commits if commit.commit_spec in signers]
        landed = await self._write(view, kept, signers, is_dry=is_dry)
        if not refused:
            return landed
        unchanged: dict[Update, tuple[Change, ...]] = dict.fromkeys(refused, ())
        return replace(landed, changes={**landed.changes, **unchanged}, refused={**landed.refused, **refused})

    async def _write(
        self, view: View, commits: Sequence[Commit], signers: Mapping[CommitSpec, Signer | None], *, is_dry: bool
    ) -> WriteResult:
        branch = _as_branch(view.destination)
        assert view.head is not None  # noqa: S101 - a look without a head raises
        mirror = self._mirror(branch)
        drafts, landed = await self._drafted(mirror, view.head, commits, is_dry=is_dry)
        if is_dry or not drafts:
            return landed
        base, (push, expected) = view.head, await self._lease(mirror, view, drafts)
        if isinstance(branch.publishing, PushTemplate) and expected is not None and await self._is_shared(mirror, view, expected):
            base, before = expected, landed
            drafts, landed = await self._drafted(mirror, base, commits)
            if not drafts:
                return landed if landed.refused else replace(before, note=f"branch {push} holds these changes already")
        made = [_new_commit(self._pen, draft, push, signers) for draft in drafts]
        over = view.head if push != self._named.get(branch, branch).branch else None
        manner = manner_of(branch, self._pen.publish(branch), [draft.commit.commit_spec for draft in drafts])
        self._views.pop(branch, None)
        with self._owed.noted(branch, base):
            pushed = await mirror.land(base=base, branch=push, expected=expected, commits=made, over=over, manner=manner)
        self._learn(mirror, branch, drafts)
        if pushed.is_unchanged or pushed.revision is None:
            return replace(landed, note=f"branch {push} holds these changes already")
        revisions = {
            update: revision
            for draft, revision in zip(drafts, pushed.commits, strict=True)
            for update in draft.changes
            if revision is not None
        }
        for _ in set(revisions.values()):
            self._count("updater_commits_total", branch.method)
        told = zip(made, pushed.commits, strict=True)
        messages = {revision: without_trailers(commit.message) for commit, revision in told if revision is not None}
        return replace(landed, revisions=revisions, messages=messages)

    async def _drafted(
        self, mirror: Mirror, revision: str, commits: Sequence[Commit], *, is_dry: bool = False
    ) -> tuple[list[CommitDraft], WriteResult]:
        """Return what *commits* come to on top of *revision*."""
        drafting, drafts = await mirror.tree(revision, lambda tree: _draft(self._editors, partial(_read_writable, tree), commits))
        changes, refused = drafting.changes, drafting.refused
        return drafts, WriteResult(changes=changes, refused=refused, revisions={}, edits=drafting.edits(), is_dry=is_dry)

    async def _is_shared(self, mirror: Mirror, view: View, head: str) -> bool:
        """Return whether a branch holds what other destinations wrote: their templates may make the same name.

        Such a branch is not made anew from its base, since that would take their changes away: ours come on top.
        """
        below, mine = {past.revision for past in view.recent}, {key for key, _ in (*view.readings, *view.problems)}
        above = [past for past in await mirror.history(head) if past.revision not in below]
        return any(set(past.subscriptions) - mine for past in above)

    async def _lease(self, mirror: Mirror, view: View, drafts: Sequence[CommitDraft]) -> tuple[str, str | None]:
        """Name the branch that is written and the head it must still have; a template has its say only now."""
        branch = self._named.get(view.destination)
        if branch is None:  # nobody asked for it any more, and somebody does again
            raise fault("push-refused", f"{view.destination} has to be read again")
        if not isinstance(branch.publishing, PushTemplate):
            return branch.push, view.push_head
        updates = [update for draft in drafts for update in draft.changes]
        place = updates[0].target.locator.path
        name = branch_name(branch.publishing.template, updates, target=f"{branch.url}|{branch.branch}|{place}")
        if name == branch.branch:
            hint = "let the template name an image: updates-{{ .SHA256 }}"
            raise GitError(
                f"the template of the branch makes {name!r}, the branch that is read", hint=hint, code="branch-template"
            )
        head = await mirror.look(branch.branch, name)
        if head.revision != view.head:
            raise fault("push-refused", f"{branch.branch} of {shown_url(branch.url)} moved meanwhile")
        await mirror.fetch(branch.branch, *([name] if name in head.heads else []))
        return name, head.heads.get(name)

    async def history(self, branch: GitBranch, limit: int) -> tuple[PastCommit, ...]:
        """Return our own commits among the last *limit* of the branch that is written, newest first."""
        mirror = self._mirror(branch)
        head = await mirror.look(branch.push, branch.branch)
        revision = head.revision or head.heads.get(branch.branch)
        if revision is None:
            raise _no_branch(branch, head)
        return await mirror.history(revision, limit)

    async def _read(
        self,
        mirror: Mirror,
        branches: tuple[GitBranch, GitBranch],
        subscriptions: tuple[Subscription, ...],
        heads: tuple[str, str | None],
    ) -> View:
        """Read a branch, as it is asked for and as it is named, at its *heads*: of the base, and of the push branch."""
        branch, named = branches
        head, push_head = heads
        wanted = _heads(named, head, push_head)
        if branch.ref is not None and branch.ref.kind is RefKind.COMMIT:
            await _fetch_commit(mirror, named, branch.ref)
        editors = (self._editors[name] for name, _ in searches_of(self._editors, subscriptions, branch))
        await mirror.fetch(*wanted, at=wanted, sought=next((editor.needles for editor in editors if editor.needles), ()))
        is_rebuilt = len(wanted) > 1
        base = await self.targets.read(mirror, head, subscriptions, branch)
        base.note_unclaimed(self._known())
        pending = await self.targets.read(mirror, push_head or head, subscriptions, branch) if is_rebuilt else None
        recent = await mirror.recall(named.branch, head)
        return View(
            destination=branch,
            head=head,
            push_head=push_head,
            readings=base.readings,
            problems=base.problems,
            pending=pending.readings if pending else {},
            notes=tuple(base.notes),
            recent=recent,
        )

    def _learn(self, mirror: Mirror, branch: GitBranch, drafts: Sequence[CommitDraft]) -> None:
        """Let what was written be read behind the landing, which does not wait: the next look then parses none of it."""
        blobs = self.targets.blobs(mirror, branch)
        files = {path: data for draft in drafts for path, data in draft.files.items()}
        written = {
            (update.target.editor, update.reading.path)
            for draft in drafts
            for update in draft.changes
            if self._editors[update.target.editor].files(update.target.locator) is None
        }

        def learn() -> None:
            for editor, path in sorted(item for item in written if item[1] in files):
                blobs.learn(editor, path, files[path])
            blobs.save()

        mirror.afterwards(learn)


def _new_commit(pen: CommitSettings, draft: CommitDraft, push: str, signers: Mapping[CommitSpec, Signer | None]) -> NewCommit:
    commit_spec = draft.commit.commit_spec
    return NewCommit(
        message=add_trailers(pen.message(draft.commit, draft.changes), branches=[push]),
        author=Identity(name=commit_spec.name, email=commit_spec.email),
        files=draft.files,
        when=pen.now(),
        signer=signers[commit_spec],
    )


async def _signers(
    pen: CommitSettings, commits: Sequence[Commit]
) -> tuple[dict[CommitSpec, Signer | None], dict[Update, Problem]]:
    """Return who signs for each commit spec, and a problem for each update of those whose key cannot be had."""
    found: dict[CommitSpec, Signer | None] = {}
    refused: dict[Update, Problem] = {}
    for commit in commits:
        try:
            found[commit.commit_spec] = await pen.signer(commit.commit_spec.signing)
        except UpdaterError as error:
            problem = Problem(path="", code=error.code, message=error.message, hint=error.hint)
            refused |= dict.fromkeys(commit.updates, problem)
    return found, refused


def _draft(
    editors: Mapping[str, Editor], read: Callable[[str], bytes], commits: Sequence[Commit]
) -> tuple[CommitDrafter, list[CommitDraft]]:
    drafting = CommitDrafter(editors=editors, read=read)
    drafts = [drafting.draft(commit) for commit in commits]
    return drafting, [draft for draft in drafts if draft.files]


def _as_branch(destination: Destination) -> GitBranch:
    assert destination.method == "git"  # noqa: S101 - the composition root routes by method
    if destination.ref is not None and not destination.is_rebuilt:
        raise fault("push-branch-missing", f"{destination} names no branch to push")
    return destination


def _named(branch: GitBranch, head: Head) -> GitBranch:
    """Return *branch* with the names that it leaves to the server; where another ref is read, that is named as the branch."""
    base = head.branch if branch.ref is not None else branch.branch or head.branch
    return replace(branch, branch=base)


async def _fetch_commit(mirror: Mirror, named: GitBranch, ref: CheckoutRef) -> None:
    """Fetch one commit, which no listing shows; raise `GitError` ``ref-missing`` where the server does not give it."""
    try:
        await mirror.fetch(named.branch)
    except GitError as error:
        if error.code not in _NOT_GIVEN:
            raise
        hint = "check the commit; a server of protocol 0 gives those that no ref names with uploadpack.allowAnySHA1InWant only"
        message = f"{shown_url(named.url)} does not give the {ref}: {error.message}"
        raise fault("ref-missing", message, hint=hint) from error


def _heads(named: GitBranch, head: str, push_head: str | None) -> dict[str, str]:
    """Return the heads whose trees are read, by branch: of the base, and of a push branch that is rebuilt on it."""
    is_rebuilt = push_head is not None and push_head != head and named.push != named.branch
    return {named.branch: head, named.push: push_head} if is_rebuilt and push_head else {named.branch: head}


def _read_writable(tree: Tree, path: str) -> bytes:
    """Read a file that is to be edited: one that may not be written is refused here, and does not stop the others."""
    check_path(path)
    return tree.read(path)


def _no_branch(branch: GitBranch, head: Head) -> GitError:
    if branch.ref is not None:
        return fault("ref-missing", f"{shown_url(branch.url)} has no {branch.ref}")
    hint = f"its default branch is {head.default!r}" if head.default else "make the first commit, or name another branch"
    return GitError(f"{shown_url(branch.url)} has no branch {branch.branch!r}", hint=hint, code="branch-missing")
