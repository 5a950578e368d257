"""How a replica asks the one that leads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.errors import UpdaterError
from updater.http.exchange import FailureKind, HttpFailure

if TYPE_CHECKING:
    from updater.daemon.process import Process
    from updater.http.exchange import HttpRequest, Response

WHAT: Final = "the replica that leads"
#: of what was not even sent
_UNSENT: Final = frozenset({FailureKind.UNREACHABLE, FailureKind.DOWN, FailureKind.PAUSED, FailureKind.TLS, FailureKind.SETTINGS})


class LeaderSilent(UpdaterError):  # noqa: N818 - the name says what is the case, as in updater.errors
    """The replica that leads is not known, or gave no answer; *may_have_come* where it may have got what was sent."""

    def __init__(self, *, may_have_come: bool) -> None:
        super().__init__(f"{WHAT} gave no answer", code="not-leading")
        self.may_have_come = may_have_come


def leader_address(process: Process) -> str:
    """Return where the replica that leads is reached, "" where that is not known."""
    return process.leading.leader_address if process.leading else ""


async def ask_leader(process: Process, request: HttpRequest) -> Response:
    """Send *request*, whose URL is a path, to the replica that leads; raise `LeaderSilent`."""
    address = leader_address(process)
    if not address:
        raise LeaderSilent(may_have_come=False)
    try:
        return await process.http.send(replace(request, url=f"{address}{request.url}", what=WHAT))
    except HttpFailure as failure:
        raise LeaderSilent(may_have_come=failure.trouble not in _UNSENT) from failure
    except UpdaterError as error:
        raise LeaderSilent(may_have_come=True) from error
