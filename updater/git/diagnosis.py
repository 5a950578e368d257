"""What it means when a conversation with a Git server fails: its words, its answer to a push, what dulwich raises."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dulwich.errors import GitProtocolError, HangupException, NotGitRepository, SendPackError

from updater.errors import GitDenied, UpdaterError
from updater.git.access import masked
from updater.git.damage import is_foreign
from updater.git.faults import fault
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

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
_LOCKED: Final = ("lock", "failed to update ref", "unable to create")
_REFUSAL_HINTS: Final = {
    "non-fast-forward": "the server forbids rebuilding it (receive.denyNonFastForwards or branch protection): allow force "
    "pushes to it, or name another branch",
    "hook declined": "a hook of the server refused the push: its words are in the message",
    ".lock": "another git process holds a lock on the server, or left one behind: look there, and delete it if it is stale",
}
_MOVED_ON: Final = ("not our ref", "unadvertised object")
_NO_REPOSITORY: Final = "does not appear to be a git repository"
_ABSENT: Final = (_NO_REPOSITORY, "not found", "does not exist", "no such")
_BY_CREDENTIAL: Final = frozenset({"git-denied", "git-forbidden"})
_DENIED: Final = ("permission denied", "access denied", "unauthorized", "forbidden", "not allowed", "dubious ownership")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A push that the server refused: what it *said*, without secrets.

    *may_be_race* says that it says so too when the branch has moved, *is_locked* that something held its lock. *hint* says what
    to do where the branch has not moved.
    """

    said: str
    may_be_race: bool
    is_locked: bool
    hint: str = ""


def conflicting(branch: str, others: Collection[str]) -> str | None:
    """Return a branch that excludes *branch*, because the name of one begins the other's; None where none does."""
    return next((other for other in others if branch.startswith(f"{other}/") or other.startswith(f"{branch}/")), None)


class Diagnosis:
    """The server at *address* and the secrets of *access*, which no error repeats."""

    def __init__(self, address: GitAddress, access: GitAccess) -> None:
        self._address = address
        self._access = access

    def judge(self, branch: str, status: Mapping[bytes, str | None] | None, *, ref: bytes, talk: bytes) -> Refusal | None:
        """Return what *status*, the server's answer to a push to *branch*, says of *ref*; *talk* is what it told beside.

        None where it was updated; raise `GitUnavailable` ``push-unknown`` where there is no answer.
        """
        if status is None:
            raise fault("push-unknown", f"the server did not say whether {branch} was updated")
        reason = status.get(ref)
        if reason is None:
            return None
        told = " ".join(talk.decode("utf-8", "replace").split())
        said = self.masked(f"{branch} of {self._address}: {reason}" + (f" ({told})" if told else ""))
        words = f"{reason} {told}".lower()
        return Refusal(
            said=said,
            may_be_race=any(word in words for word in _MOVED),
            is_locked=any(word in words for word in _LOCKED),
            hint=next((hint for word, hint in _REFUSAL_HINTS.items() if word in words), ""),
        )

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Name what goes wrong inside; raise `GitError`."""
        try:
            yield
        except UpdaterError as error:
            self._complete(error)
            raise
        except NotGitRepository as error:
            raise self._absent() from error
        except HangupException as error:
            raise self._hung_up(error) from error
        except SendPackError as error:
            raise fault("push-declined", self.masked(f"{self._address} could not take the push: {_said(error)}")) from error
        except GitProtocolError as error:
            if isinstance(error.__cause__, OSError):  # the library wraps what the system said
                raise self._cut(error.__cause__) from error
            raise self._misspoken(_answer(_said(error)), "git-protocol") from error
        except OSError as error:
            raise self._cut(error) from error
        except BaseException as error:
            if not is_foreign(error):
                raise
            raise fault("git-protocol", f"{self._address} did not answer as a Git server") from error

    def _cut(self, error: OSError) -> GitError:
        code = "git-timeout" if isinstance(error, TimeoutError) else "git-interrupted"
        return fault(code, self.masked(f"{self._address}: {reason_of(error) or 'the connection broke'}"))

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
            if _NO_REPOSITORY in low:  # which names the path a second time
                return self._absent()
        return fault(code, self.masked(f"{self._address}: {text.removeprefix('fatal: ')}"))

    def _absent(self) -> GitError:
        hint = "check the path; git init --bare makes a repository" if self._address.scheme == "file" else ""
        return fault("git-not-found", f"there is no Git repository at {self._address}", hint=hint)

    def _complete(self, error: UpdaterError) -> None:
        """Take secrets out of *error*, and say which credential was refused."""
        origin = self._access.origin
        if origin and isinstance(error, GitDenied) and error.code in _BY_CREDENTIAL:
            error.message = f"{error.message}; refused was the credential from {origin}"
            if self._access.credential:
                error.hint = f"check {origin}, and what it may do in this repository"
        error.message, error.hint = self.masked(error.message), self.masked(error.hint)
        error.args = (error.message,)

    def masked(self, text: str) -> str:
        """Return *text*, which may come from the server, without what it was shown."""
        return masked(text, self._access, self._address)


def _answer(text: str) -> str:
    """Return the server's words; those of the Git library, which speak of its own parsing, become ours."""
    if text.startswith(_ERROR_LINE):  # which the library does not expect at this place
        return text.removeprefix(_ERROR_LINE)[:-1]
    return "the answer is not Git's protocol" if text.lower().startswith(_OF_THE_LIBRARY) else text


_ERROR_LINE: Final = "unknown command b'ERR "
_OF_THE_LIBRARY: Final = (
    *("invalid pkt-line", "invalid ref status", "received more data after", "unknown command b", "invalid shallow line"),
    *("expected command", "unexpected http resp", "invalid literal", "not enough values", "bad length of chunk", "length of pkt"),
)


def _said(error: Exception) -> str:
    return " ".join(part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in error.args)
