"""What it means when a conversation with a Git server fails: its words, its answer to a push, what dulwich raises."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from dulwich.errors import GitProtocolError, HangupException, NotGitRepository, SendPackError

from updater.errors import GitDenied, UpdaterError, reason_of
from updater.git.access import masked
from updater.git.damage import is_foreign
from updater.git.faults import fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from updater.errors import GitError
    from updater.git.access import GitAccess, GitAddress

_MOVED: Final = (
    "non-fast-forward",
    "fetch first",
    "failed to update ref",
    "cannot lock ref",
    "failed to lock",
    "incorrect old value",
    "reference already exists",
    "stale info",
    "unable to set",
    "but expected",
)
_MOVED_ON: Final = ("not our ref", "unadvertised object")
_ABSENT: Final = ("does not appear to be a git repository", "not found", "does not exist", "no such")
_BY_CREDENTIAL: Final = frozenset({"git-denied", "git-forbidden"})
_DENIED: Final = ("permission denied", "access denied", "unauthorized", "forbidden", "not allowed", "dubious ownership")


class Diagnosis:
    """The server at *address* and the secrets of *access*, which no error repeats."""

    def __init__(self, address: GitAddress, access: GitAccess) -> None:
        self._address = address
        self._access = access

    def judge(self, branch: str, status: Mapping[bytes, str | None] | None, *, ref: bytes, talk: bytes) -> None:
        """Raise what *status*, the server's answer to a push to *branch*, says of *ref*; *talk* is what it told beside."""
        if status is None:
            raise fault("push-unknown", f"the server did not say whether {branch} was updated")
        reason = status.get(ref)
        if reason is None:
            return
        code = "push-refused" if any(word in reason for word in _MOVED) else "push-declined"
        said = " ".join(talk.decode("utf-8", "replace").split())
        raise fault(code, self._masked(f"{branch} of {self._address}: {reason}" + (f" ({said})" if said else "")))

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Name what goes wrong inside; raise `GitError`."""
        try:
            yield
        except GitDenied as error:
            raise self._with_origin(error) from error.__cause__
        except UpdaterError:
            raise
        except NotGitRepository as error:
            raise fault("git-not-found", f"there is no Git repository at {self._address}") from error
        except HangupException as error:
            raise self._hung_up(error) from error
        except SendPackError as error:
            raise fault("push-declined", self._masked(f"{self._address} could not take the push: {_said(error)}")) from error
        except GitProtocolError as error:
            raise self._misspoken(_said(error), "git-protocol") from error
        except OSError as error:
            code = "git-timeout" if isinstance(error, TimeoutError) else "git-interrupted"
            raise fault(code, self._masked(f"{self._address}: {reason_of(error) or 'no answer in time'}")) from error
        except BaseException as error:
            if not is_foreign(error):
                raise
            raise fault("git-protocol", f"{self._address} did not answer as a Git server") from error

    def _hung_up(self, error: HangupException) -> GitError:
        text = " ".join(line.decode("utf-8", "replace") for line in error.stderr_lines or ())
        return self._misspoken(text) if text.strip() else fault("git-interrupted", f"{self._address} closed the connection")

    def _misspoken(self, text: str, code: str = "git-unavailable") -> GitError:
        """Name the error of a server that says why it stops; *code* where its words are none we know."""
        low = text.lower()
        if any(word in low for word in _MOVED_ON):
            code = "push-refused"  # what was listed a moment ago is no head any more
        elif any(word in low for word in _DENIED):
            code = "git-forbidden"
        elif any(word in low for word in _ABSENT):
            code = "git-not-found"
        return fault(code, self._masked(f"{self._address}: {text}"))

    def _with_origin(self, error: GitDenied) -> GitError:
        """Say which credential was refused."""
        origin = self._access.origin
        if not origin or error.code not in _BY_CREDENTIAL:
            return error
        hint = f"check {origin}, and what it may do in this repository" if self._access.credential else error.hint
        return fault(error.code, f"{error.message}; refused was the credential from {origin}", hint=hint)

    def _masked(self, text: str) -> str:
        return masked(text, self._access, self._address)


def _said(error: Exception) -> str:
    return " ".join(part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in error.args)
