"""What people do at the page and by the API: hold, release, reject, pin, scan; and what a change would look like."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from updater.errors import UpdaterError
from updater.web.access import FORM_FIELD, Denial, person_of
from updater.web.answers import ApiRefusal, answer
from updater.web.api import SUBSCRIPTIONS
from updater.web.bodies import fields_of
from updater.web.keys import key_of, whole_key_first
from updater.web.people import SignInEvidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multidict import MultiMapping

    from updater.web.access import Access, Registrar
    from updater.web.api import ReadApi
    from updater.web.detail import TargetView
    from updater.web.people import SitePerson


class ActKind(StrEnum):
    """What a person can do."""

    HOLD = "hold"
    RELEASE = "release"
    REJECT = "reject"
    PIN = "pin"
    SCAN = "scan"


#: in the place of the status that the replica that leads answers with
NOT_SENT: Final = 0
NOT_KNOWN: Final = -1
#: what may be sent beside the reason
FIELDS: Final[Mapping[ActKind, frozenset[str]]] = {
    ActKind.HOLD: frozenset({"until", "for"}),
    ActKind.RELEASE: frozenset(),
    ActKind.REJECT: frozenset({"image", "until", "for"}),
    ActKind.PIN: frozenset({"tag", "until", "for"}),
    ActKind.SCAN: frozenset(),
}
NEEDED: Final[Mapping[ActKind, str]] = {ActKind.REJECT: "image", ActKind.PIN: "tag"}
_ROUTE: Final = f"{SUBSCRIPTIONS}/{{key:.+}}/{{act:{'|'.join(ActKind)}}}"
PREVIEW: Final = f"{SUBSCRIPTIONS}/{{key:.+}}/preview"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActOrder:
    """What *author* wants done about the subscription *key*, and why. *image* is the tag or digest that it is about."""

    kind: ActKind
    key: str
    author: str
    reason: str = ""
    image: str = ""
    until: str | None = None
    lasts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActDone:
    """What became of it: a sentence, where the decision stands, and whether anything was changed.

    *readmitted* are commits whose images may be written again, *unread* says which destinations could not be read for that.
    """

    key: str
    act: ActKind
    author: str
    told: str
    where: str = ""
    changed: bool = True
    readmitted: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePreview:
    """What would be written, as the lines of a unified diff; *targets* say what would become of each target.

    *is_cut* where the diff is too long to be shown whole.
    """

    diff: tuple[str, ...]
    targets: tuple[TargetView, ...]
    is_cut: bool = False


class ActDesk(Protocol):
    """Who does it; see `updater.daemon.fleet_acts.FleetActs`."""

    @property
    def leads(self) -> bool:
        """Whether this replica is the one that works."""
        ...

    async def act(self, order: ActOrder) -> ActDone:
        """Do it; raise `UpdaterError`."""
        ...

    async def preview(self, order: ActOrder | None, key: str) -> ChangePreview:
        """Return what would be written if that were done, or as it is; raise `UpdaterError`."""
        ...

    async def hand_on(self, path: str, fields: Mapping[str, str], person: str) -> tuple[int, bytes]:
        """Let the replica that leads do it; return its status and answer.

        The status is `NOT_SENT` where it did not get it, `NOT_KNOWN` where its answer was lost.
        """
        ...

    def done(self, order: ActOrder, result: str) -> None:
        """Count and log what became of it."""
        ...


class Acts:
    """The routes of acts over *desk*; *read* answers about subscriptions whose keys end as a route of these does."""

    def __init__(self, desk: ActDesk, access: Access, registrar: Registrar, read: ReadApi) -> None:
        self._desk = desk
        self._read = read
        self._access = access
        self._registrar = registrar

    def routes(self) -> list[web.RouteDef]:
        """Return them; they come before the route of one subscription, whose key may have any form."""
        preview = whole_key_first(self._read.fleet, self.preview, self._read.subscription)
        return [web.post(_ROUTE, self.act), web.get(PREVIEW, preview)]

    async def act(self, request: web.Request) -> web.Response:
        """Do what a person asks for, who may."""
        person = self._actor(request)
        self._access.check_origin(request)
        fields = dict(await fields_of(request))
        self._access.check_form(request, person, fields.pop(FORM_FIELD, ""))
        order = order_of(ActKind(request.match_info["act"]), key_of(request), fields, person.name)
        if not self._desk.leads:
            return await self._handed_on(request, fields, person)
        try:
            done = await self._desk.act(order)
        except UpdaterError as error:
            self._desk.done(order, error.code)
            raise
        self._desk.done(order, "changed" if done.changed else "unchanged")
        return answer(request, done)

    async def preview(self, request: web.Request) -> web.Response:
        """Answer what would be written; it shows lines of files, so that it is for those who may act."""
        person, key = self._actor(request), key_of(request)
        self._access.check_origin(request)  # it costs a look at a repository
        fields = _single(request.query)
        kind = fields.pop("act", None)
        if kind is not None and kind not in list(ActKind):
            raise ApiRefusal(400, "bad-parameter", f"there is no act {kind!r}", f"act is one of {', '.join(ActKind)}")
        order = order_of(ActKind(kind), key, {"reason": "preview", **fields}, person.name) if kind else None
        return answer(request, await self._desk.preview(order, key))

    def _actor(self, request: web.Request) -> SitePerson:
        person = person_of(request)
        if person is None or not person.may_act:
            name = person.name if person else ""
            self._registrar.denied(Denial.of("act", request, name))
            raise ApiRefusal(403, "forbidden", f"{name or 'nobody'} may not act here", "web.roles.act names who may")
        return person

    async def _handed_on(self, request: web.Request, fields: Mapping[str, str], person: SitePerson) -> web.Response:
        status, body = NOT_SENT, b""
        if person.evidence is not SignInEvidence.REPLICA:  # nothing is handed on twice
            status, body = await self._desk.hand_on(request.rel_url.raw_path, fields, person.name)
        if status == NOT_KNOWN or (status >= 500 and status != 503):
            message = "another replica leads, and its answer was lost: it is not known whether this was done"
            raise ApiRefusal(504, "not-known", message, "look at the subscription before you try again")
        if status in {NOT_SENT, 401, 403, 421, 503}:
            hint = "try again shortly; the replicas need the same web.session_key, and the same web.roles"
            raise ApiRefusal(503, "not-leading", "another replica leads, and did not take this", hint, {"Retry-After": "5"})
        return web.Response(status=status, body=body, content_type="application/json")


def order_of(kind: ActKind, key: str, fields: Mapping[str, str], author: str) -> ActOrder:
    """Read what is asked for; raise `ApiRefusal` for what is missing, and for a field that means nothing here."""
    unknown = sorted(set(fields) - FIELDS[kind] - {"reason"})
    if unknown:
        hint = f"{kind} takes {', '.join(sorted(FIELDS[kind] | {'reason'}))}"
        raise ApiRefusal(400, "bad-body", f"{kind} has no field {unknown[0]!r}", hint)
    needed = NEEDED.get(kind)
    if needed and not fields.get(needed):
        raise ApiRefusal(400, "bad-body", f"{kind} needs the field {needed}")
    reason = fields.get("reason", "").strip()
    if not reason and kind is not ActKind.SCAN:
        raise ApiRefusal(400, "bad-body", f"{kind} needs a reason", "say why, for those who read it later")
    return ActOrder(
        kind=kind,
        key=key,
        author=author,
        reason=reason,
        image=fields.get(needed, "") if needed else "",
        until=fields.get("until") or None,
        lasts=fields.get("for") or None,
    )


def _single(query: MultiMapping[str]) -> dict[str, str]:
    return {name: query[name] for name in query}
