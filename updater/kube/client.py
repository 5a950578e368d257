"""The API client: read objects, list them page by page, create, patch, delete, watch.

https://kubernetes.io/docs/reference/using-api/api-concepts/. Every error is a `KubeError`. Objects are plain JSON values;
nothing is known here of any kind but the Secret.
"""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from updater.errors import KubeError, KubeGone
from updater.http.exchange import FailureKind, HttpFailure
from updater.http.limits import Patience
from updater.kube.faults import ended, failure_of, outside_protocol
from updater.kube.kinds import SECRET, Kind, Object, Ref
from updater.kube.requests import LONGEST_OBJECT, ApiRequest, ApiServer, Verb, object_of, observe_nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from updater.http.client import HttpClient
    from updater.http.session import Stream
    from updater.kube.access import ClusterAccess

PATIENCE: Final = Patience(attempts=4, first=0.25, longest=4.0, broken_in_a_row=1_000_000, total_timeout=30.0)
"""The retry policy of an `HttpClient` for the API server: shorter pauses than for a registry, because a restart is brief."""

PAGE: Final = 200
# parsing a page holds up the event loop; one of large objects is asked for again in smaller pages, so nobody needs to set this
LONGEST_PAGE: Final = 4 * 1024 * 1024
SMALLER: Final = 8


class PatchType(StrEnum):
    """The format of a patch (RFC 7386 and RFC 6902); server-side apply has its own method."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListScope:
    """The objects to list: one namespace or all (None), and selectors in kubectl's syntax."""

    namespace: str | None = None
    labels: str = ""
    fields: str = ""

    def query(self) -> dict[str, str]:
        """Return the parameters of a request."""
        return {
            **({"labelSelector": self.labels} if self.labels else {}),
            **({"fieldSelector": self.fields} if self.fields else {}),
        }


EVERYWHERE: Final = ListScope()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of a list. A watch continues from *version*, that of the whole list. *is_last*: no page follows."""

    items: Sequence[Object]
    version: str
    is_last: bool


class KubeClient:
    """Send requests to one API server. *http* should have `PATIENCE`.

    *observe* is called for each request with its verb (get, list, watch, create, patch, delete) and the status of the answer,
    0 where none came.
    """

    def __init__(
        self,
        access: ClusterAccess,
        http: HttpClient,
        *,
        user_agent: str = "gitops-image-updater",
        observe: Callable[[str, int], None] = observe_nothing,
    ) -> None:
        self.access = access
        self._server = ApiServer(access, http, user_agent=user_agent, observe=observe)

    async def get(self, ref: Ref) -> Object:
        """Read one object; raise `KubeGone` (code ``kube-not-found``) where it is not there, and `KubeError`."""
        return await self._server.ask(ApiRequest(words=f"get {ref}", verb=Verb.GET, path=ref.path))

    async def pages(self, kind: Kind, scope: ListScope = EVERYWHERE, *, size: int = PAGE) -> AsyncIterator[ListPage]:
        """Yield every object of *scope*, page by page, all of one version; raise `KubeError`.

        `KubeGone` after the first page means that the rest is no longer kept: what came before must be thrown away.
        A page of more than `LONGEST_PAGE` bytes is asked for again with fewer objects, as all that follow are.
        """
        words, path, following = f"list {kind.resource}{_where(scope)}", kind.path(scope.namespace), ""
        while True:
            query = {**scope.query(), "limit": str(size), **({"continue": following} if following else {})}
            limit = LONGEST_PAGE if size > 1 else LONGEST_OBJECT
            try:
                found = await self._server.ask(ApiRequest(words=words, verb=Verb.LIST, path=path, query=query, limit=limit))
            except KubeError as error:
                if error.code != "kube-too-large" or size == 1:
                    raise
                size = max(1, size // SMALLER)
                continue
            items, version, following = _listed(found, kind, words)
            yield ListPage(items=items, version=version, is_last=not following)
            if not following:
                return

    async def list(self, kind: Kind, scope: ListScope = EVERYWHERE) -> list[Object]:
        """Read every object of *scope* at once; raise `KubeError`."""
        return [item async for page in self.pages(kind, scope) for item in page.items]

    async def create(self, ref: Ref, body: Object) -> Object:
        """Make an object, and give it as the server keeps it; raise `KubeConflict` where it is there already."""
        path = ref.kind.path(ref.namespace)
        ask = ApiRequest(words=f"create {ref}", verb=Verb.CREATE, path=path, body=body, is_repeatable=False)
        return await self._server.ask(ask)

    async def patch(
        self, ref: Ref, change: Any, *, form: PatchType = PatchType.MERGE, version: str | None = None, subresource: str = ""
    ) -> Object:
        """Change an object, and give it as it is then. *change* is a merge patch, or a list of JSON patch operations.

        With *version*, the `resourceVersion` that was read, it is changed only if it is still at it. *subresource* is
        "status" where the kind keeps its status apart. Raise `KubeConflict`, `KubeGone`, `KubeError`.
        """
        words = f"patch {subresource} of {ref}" if subresource else f"patch {ref}"
        path = f"{ref.path}/{subresource}" if subresource else ref.path
        body = change if version is None else _guarded(change, form, version)
        ask = ApiRequest(words=words, verb=Verb.PATCH, path=path, body=body, form=form, is_repeatable=False)
        return await self._server.ask(ask)

    async def apply(self, ref: Ref, body: Object, *, owner: str, force: bool = False, subresource: str = "") -> Object:
        """Apply *body* as the fields that *owner* holds (server-side apply); what it held before and leaves out is removed.

        Raises `KubeConflict` where a field belongs to another owner, unless *force* takes it over.
        """
        query = {"fieldManager": owner, "force": str(force).lower()}
        path = f"{ref.path}/{subresource}" if subresource else ref.path
        whole = {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, **body}
        metadata = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
        whole["metadata"] = {**whole.get("metadata", {}), **metadata}
        form = "application/apply-patch+yaml"  # JSON is YAML
        ask = ApiRequest(words=f"apply {ref}", verb=Verb.PATCH, path=path, query=query, body=whole, form=form)
        return await self._server.ask(ask)

    async def delete(self, ref: Ref, *, version: str | None = None) -> bool:
        """Delete an object, at *version* only where one is given; False where it was not there. Raise `KubeError`."""
        body = {"preconditions": {"resourceVersion": version}} if version else {}
        try:
            await self._server.ask(ApiRequest(words=f"delete {ref}", verb=Verb.DELETE, path=ref.path, body=body))
        except KubeGone:
            return False
        return True

    async def read_secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Read the data of one Secret, decoded; nothing of it is kept here. Raise `KubeError`."""
        ref = Ref(SECRET, namespace, name)
        data = (await self.get(ref)).get("data") or {}
        try:
            return {key: base64.b64decode(value, validate=True) for key, value in data.items()}
        except (ValueError, TypeError, AttributeError):
            raise outside_protocol(f"get {ref}", "the answer holds data that is not base64") from None

    @asynccontextmanager
    async def watching(
        self, kind: Kind, scope: ListScope, *, version: str, seconds: float, idle: float
    ) -> AsyncIterator[AsyncIterator[Object]]:
        """Open a watch that goes on from *version* for at most *seconds*, and give its events, bookmarks among them.

        An event is ``{"type", "object"}`` as it was sent. They end when the server ends them, or says nothing for *idle* seconds.
        Raises `KubeGone` where no watch can go on from *version*, which may be said in its midst, and `KubeError`.
        """
        query = {
            **scope.query(),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(int(seconds)),
        }
        words = f"watch {kind.resource}{_where(scope)}"
        ask = ApiRequest(words=words, verb=Verb.WATCH, path=kind.path(scope.namespace), query=query)
        async with self._server.stream(ask, idle=idle) as stream:
            yield _events(stream, words)


async def _events(stream: Stream, words: str) -> AsyncIterator[Object]:
    try:
        async for line in stream.lines():
            event = object_of(line, words)
            content = event.get("object")
            if not isinstance(content, dict):
                raise outside_protocol(words, "an event has no object")
            if event.get("type") == "ERROR":
                raise ended(content, asked=words)
            yield event
    except HttpFailure as failure:
        if failure.trouble is FailureKind.TIMEOUT:  # a kind that nobody changes is as silent as a dead connection
            return
        raise failure_of(failure, asked=words) from failure


def _listed(found: Object, kind: Kind, words: str) -> tuple[Sequence[Object], str, str]:
    """Return items, version and what follows; a list that is none must never look like an empty one."""
    metadata, items = found.get("metadata"), found.get("items", found)
    if not str(found.get("kind")).endswith("List") or not isinstance(metadata, dict):  # a definition may name its list
        raise outside_protocol(words, f"the answer is no {kind.name}List")
    if items is None:  # Go writes an empty list so
        items = []
    version, following = metadata.get("resourceVersion"), metadata.get("continue", "")
    if not isinstance(items, list) or not isinstance(version, str) or not version or not isinstance(following, str):
        raise outside_protocol(words, "the answer is a list without items or version")
    return items, version, following


def _guarded(change: Any, form: PatchType, version: str) -> Any:
    """Return *change* so that the server takes it only at *version*: any other one answers 409."""
    if form is PatchType.JSON:  # not `test`: its failure is a 422, like that of a mistake
        return [{"op": "replace", "path": "/metadata/resourceVersion", "value": version}, *change]
    return {**change, "metadata": {**change.get("metadata", {}), "resourceVersion": version}}


def _where(scope: ListScope) -> str:
    return f" in {scope.namespace}" if scope.namespace else ""
