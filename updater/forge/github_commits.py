"""Commits that GitHub makes and signs itself: by the Git database of its REST API, moved to a branch by a GraphQL mutation.

Sources: docs.github.com/rest/git (blobs, trees, commits), docs.github.com/graphql/reference/git (updateRefs). GitHub signs what a
bot asks for without naming author or committer; the mutation compares where the branch stands.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from updater.errors import ForgeError, GitUnavailable, PushRefused
from updater.forge.api import ApiCall
from updater.forge.graphql import failure_of, query_call
from updater.forge.reading import listing, mapping, number, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.forge.api import ForgeApi
    from updater.model.branch_move import BranchMove, ChangedFile, WantedCommit

NO_COMMIT: Final = "0" * 40
LONGEST_INLINE: Final = 512 * 1024  # of a file within the request for a tree; longer ones have a request of their own
_OBJECT: Final = re.compile(r"[0-9a-f]{40}")
#: what is no fault of this program's answers where the branch moved meanwhile, or its server is busy with it
_CODES: Final = {409: "forge-unavailable"}
_UNSIGNED_HINT: Final = "show the forge the token of a GitHub App: GitHub signs only what a bot commits; or set commits: git"
_DECLINED_HINT: Final = (
    "a rule of the repository keeps the branch: see the message, and let the App bypass it or name another one"
)
_UNKNOWN_HINT: Final = "it is not known whether the branch was moved: it is read again, and nothing is written twice"
_WHO: Final = """query updaterWho($owner: String!, $name: String!) {
  viewer { login databaseId }
  repository(owner: $owner, name: $name) { id }
}"""
_MOVE: Final = """mutation updaterMove($input: UpdateRefsInput!) {
  updateRefs(input: $input) { clientMutationId }
}"""


@dataclass(frozen=True, slots=True)
class _Who:
    address: str
    repository: str


class GithubCommits:
    """Makes commits in the repository that *api* asks. *learn* is told under which address GitHub names us, in lower case."""

    def __init__(self, api: ForgeApi, learn: Callable[[str], None]) -> None:
        self._api = api
        self._learn = learn
        self._who: _Who | None = None

    async def author(self) -> str:
        """Return the address under which the account of the token commits, in lower case; asked once. Raises `ForgeError`."""
        return (await self._known()).address

    async def publish(self, move: BranchMove, require_leading: Callable[[], None] = lambda: None) -> tuple[str, ...]:
        """Make the commits of *move*, then move the branch, which must stand where it stood; return their revisions.

        Nothing was moved where this raises: `PushRefused` ``push-declined`` where GitHub does not move it, `ForgeError`; but
        for `GitUnavailable` ``push-unknown``, after which nobody knows. What *require_leading* raises comes before the move:
        commits that no branch names change nothing.
        """
        who = await self._known()
        parent, made = move.base, []
        for commit in move.commits:
            parent = await self._commit(commit, parent)
            made.append(parent)
        require_leading()
        await self._move(move, parent, who)
        return tuple(made)

    async def _known(self) -> _Who:
        if self._who is None:
            owner, _, name = self._api.repository.path.partition("/")
            call = query_call(self._api.repository, _WHO, {"owner": unquote(owner), "name": unquote(name)}, is_repeatable=True)
            answer = mapping(await self._api.ask(call))
            if failure := failure_of(answer):
                raise self._api.refused(*failure)
            viewer, found = mapping(answer, "data", "viewer"), mapping(answer, "data", "repository")
            login, account, repository = text(viewer.get("login")), number(viewer.get("databaseId")), text(found.get("id"))
            if not login or account is None or not repository:
                raise self._api.odd("the answer names neither the account nor the repository")
            host = (urlsplit(self._api.repository.api).hostname or "").removeprefix("api.")
            self._who = _Who(f"{account}+{login}@users.noreply.{host}".lower(), repository)
            self._learn(self._who.address)
        return self._who

    async def _commit(self, wanted: WantedCommit, parent: str) -> str:
        """Make one commit on top of *parent*; raise `ForgeError` where it is another one, or is not signed."""
        rows = [await self._row(file) for file in wanted.files]
        tree = mapping(await self._make("trees", {"base_tree": wanted.base_tree, "tree": rows}))
        if tree.get("sha") != wanted.tree:
            raise self._api.odd("the files that were sent came to another tree than they do in Git: nothing was committed")
        data = {"message": wanted.message, "tree": wanted.tree, "parents": [parent]}
        made = mapping(await self._make("commits", data))
        revision, parents = text(made.get("sha")), [mapping(item).get("sha") for item in listing(made.get("parents"))]
        if not _OBJECT.fullmatch(revision) or mapping(made, "tree").get("sha") != wanted.tree or parents != [parent]:
            raise self._api.odd("the answer is about another commit than was asked for: the branch was left as it is")
        if mapping(made, "verification").get("verified") is not True:
            said = text(mapping(made, "verification").get("reason")) or "no signature"
            message = f"{self._api.repository}: GitHub did not sign the commit ({said[:60]}); the branch was left as it is"
            raise ForgeError(message, hint=_UNSIGNED_HINT, code="commit-unverified")
        for side in ("author", "committer"):
            address = text(mapping(made, side).get("email")).lower()
            if "[bot]@" in address:
                self._learn(address)
        return revision

    async def _row(self, file: ChangedFile) -> dict[str, str]:
        row = {"path": file.path, "mode": file.mode, "type": "blob"}
        try:
            content = file.data.decode() if len(file.data) <= LONGEST_INLINE and b"\0" not in file.data else None
        except UnicodeDecodeError:
            content = None
        if content is not None:
            return {**row, "content": content}
        data = {"content": base64.b64encode(file.data).decode(), "encoding": "base64"}
        return {**row, "sha": text(mapping(await self._make("blobs", data)).get("sha"))}

    async def _make(self, kind: str, data: dict[str, Any]) -> Any:
        """Make an object of Git: made twice it is the same, or one more that no branch knows."""
        return await self._api.ask(ApiCall(method="POST", path=f"git/{kind}", data=data, refused=_CODES, is_repeatable=True))

    async def _move(self, move: BranchMove, revision: str, who: _Who) -> None:
        update = {
            "name": f"refs/heads/{move.branch}",
            "beforeOid": move.expected or NO_COMMIT,
            "afterOid": revision,
            "force": move.is_forced,
        }
        wanted = {"repositoryId": who.repository, "refUpdates": [update]}
        call = query_call(self._api.repository, _MOVE, {"input": wanted}, is_repeatable=False)
        try:
            answer = mapping(await self._api.ask(call))
        except ForgeError as error:
            if error.code != "forge-unavailable":
                raise
            message = f"the answer to moving {move.branch} was lost: {error.message}"
            raise GitUnavailable(message, hint=_UNKNOWN_HINT, code="push-unknown") from error
        if failure := failure_of(answer):
            code, words = failure
            if code == "forge-rate-limited":
                raise self._api.refused(code, words)
            raise PushRefused(self._api.odd(f"{move.branch}: {words}").message, hint=_DECLINED_HINT, code="push-declined")
        if "updateRefs" not in mapping(answer, "data"):
            raise GitUnavailable(
                self._api.odd("the answer does not say whether the branch was moved").message,
                hint=_UNKNOWN_HINT,
                code="push-unknown",
            )
