"""Messages to chats and mail by Apprise; the only module that imports it, when the first message is due.

Apprise blocks, and says of a failure only that there was one. So each send has a thread of its own with a deadline, at most one
for a route: what hangs is left behind, keeps that route waiting and nobody else, and does not hold up the end of the process.
What a server answered is read beneath Apprise, where `requests` sends: there no redirect is followed, and no answer is read
without end.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from updater.errors import TemplateError
from updater.http.exchange import Response
from updater.http.limits import retry_after
from updater.http.masking import masked
from updater.http.redaction import told
from updater.model.notification import NotifiedEvent
from updater.reporting.logs import mask
from updater.reporting.notifications.dialects import HTML, MARKDOWN, PLAIN
from updater.reporting.notifications.queue import NOT_REACHED, NotifyError
from updater.reporting.notifications.rendering import TEXT_LENGTH, text_of, title_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.reporting.notifications.dialects import TextDialect
    from updater.reporting.notifications.notices import Notice

_ADDRESS: Final = "notify-address"
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LARGEST_ANSWER: Final = 256 * 1024
_CONNECTED_WITHIN: Final = 10.0
_ANSWERED_WITHIN: Final = 15.0
_SPARE: Final = 100  # characters that a service adds to a text by itself
_LONGEST_REASON: Final = 300
#: services that Apprise calls plain text, and that read Markdown all the same
_READ_MARKDOWN: Final = frozenset({"discord", "guilded", "mmost", "nctalk", "ryver", "zulip"})
_BAD: Final = frozenset({NotifiedEvent.FAILED, NotifiedEvent.REVERTED})


@dataclass(slots=True)
class _Answers:
    """What was answered, and logged, in one thread."""

    statuses: list[int] = field(default_factory=list)
    retry_after: float | None = None
    words: list[str] = field(default_factory=list)


_here: Final = threading.local()


class ChatReceiver:
    """Sends to the service that the text of *address* names, which is read at each message; *template* as in the settings."""

    def __init__(self, name: str, *, address: Callable[[], Awaitable[str]], template: str | None = None) -> None:
        self._name = name
        self._address = address
        self._template = template
        self._service: tuple[str, Any] = ("", None)
        self._is_busy = False

    async def send(self, notice: Notice) -> None:
        """Send one message; raise `UpdaterError`. Cancelled, it leaves its thread behind."""
        address = (await self._address()).strip()
        if self._is_busy:
            raise NotifyError("the receiver still has not taken the message before", hint=NOT_REACHED)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def work() -> None:
            error: Exception | None = None
            try:
                self._send(address, notice)
            except Exception as caught:  # noqa: BLE001 - it is raised where the work was asked for
                error = caught
            self._is_busy = False
            _tell(loop, done, error)

        self._is_busy = True
        threading.Thread(target=work, name=f"notify {self._name}", daemon=True).start()
        await done

    def _send(self, address: str, notice: Notice) -> None:
        _here.answers = answers = _Answers()
        service = self._opened(address, answers)
        dialect, form = _dialect(service)
        title, text = title_of(notice), self._text(notice, dialect, service)
        is_subject = dialect is HTML and service.title_maxlen > 0  # of a mail: it is no HTML
        title = title if is_subject else dialect.escape(title)
        if service.title_maxlen <= 0:
            title, text = "", f"{dialect.heading(title)}{dialect.line_end}{dialect.line_end}{text}"
        kind = _library().NotifyType
        weight = kind.FAILURE if any(line.event in _BAD for line in notice.lines) else kind.INFO
        if not _notified(service, answers, body=text, title=title, notify_type=weight, body_format=form):
            raise _refusal(service, answers, address)

    def _text(self, notice: Notice, dialect: TextDialect, service: Any) -> str:
        length = min(TEXT_LENGTH, service.body_maxlen - _SPARE - (0 if service.title_maxlen > 0 else len(title_of(notice)) + 20))
        if self._template is None:
            return text_of(notice, dialect, length=length)
        from updater.reporting.notifications.templating import templated  # noqa: PLC0415 - most routes have no template

        try:
            text = templated(self._template, notice, dialect, route=self._name).strip()
        except TemplateError as error:
            raise NotifyError(error.message, hint=error.hint, code=error.code, is_lasting=True) from error
        if dialect is HTML and len(text) > length:  # cut anywhere, its tags would not match
            return text_of(notice, dialect, length=length)
        return (text if len(text) <= length else f"{text[: length - 1]}…") or text_of(notice, dialect, length=length)

    def _opened(self, address: str, answers: _Answers) -> Any:
        """Return the service of *address*; raise `NotifyError` where it names none."""
        if self._service[1] is None or self._service[0] != address:
            self._service = address, _made(address, answers)
        return self._service[1]


def _made(address: str, answers: _Answers) -> Any:
    library = _library()
    asset = library.AppriseAsset(
        app_id="updater", app_desc="updater", app_url="", image_url_mask="", image_url_logo="", http_redirects=False
    )
    try:
        service = library.Apprise.instantiate(address, asset=asset)
    except Exception as error:  # noqa: BLE001 - see `_notified`
        answers.words.append(f"{type(error).__name__}: {error}")
        service = None
    if service is None:
        raise NotifyError(
            f"the address names no service that Apprise can reach{_reason(answers, address)}",
            hint="docs/how-to/notifications.md shows addresses for copying",
            code=_ADDRESS,
            is_lasting=True,
        )
    service.redirects = False
    service.socket_connect_timeout, service.socket_read_timeout = _CONNECTED_WITHIN, _ANSWERED_WITHIN
    return service


def _notified(service: Any, answers: _Answers, **message: Any) -> bool:
    """Return whether *service* took the message; whatever it raises, it did not."""
    try:
        return bool(service.notify(**message))
    except Exception as error:  # noqa: BLE001 - a hundred services of a library, each with libraries of its own
        answers.words.append(f"{type(error).__name__}: {error}")
        return False


def _dialect(service: Any) -> tuple[TextDialect, Any]:
    """Return how a text is written for a service, and what Apprise is told of that: plain where the service has it."""
    form = service.resolve_format(_library().NotifyFormat.TEXT)
    if form.value == "html":
        return HTML, form
    # some replace the scheme of their address by http
    schemes = {service.schema, service.protocol or service.secure_protocol} if isinstance(service.protocol, str | None) else set()
    return (MARKDOWN if form.value == "markdown" or schemes & _READ_MARKDOWN else PLAIN), form


def _refusal(service: Any, answers: _Answers, address: str) -> NotifyError:
    """Return the error of a message that was not taken, in the words of what was answered."""
    status = answers.statuses[-1] if answers.statuses else 0
    where = service.service_name or "the service"
    if not status or 200 <= status < 300:
        message = f"{where} did not take the message{_reason(answers, address)}"
        return NotifyError(message, hint="check the address that to: names, and the network")
    is_lasting = status not in _AGAIN
    return NotifyError(
        f"{where} returned HTTP {status}",
        hint="check the address that to: names" if is_lasting else "it is tried again",
        code="notify-refused" if is_lasting else None,
        is_lasting=is_lasting,
        retry_after=answers.retry_after,
    )


def _reason(answers: _Answers, address: str) -> str:
    """Return what Apprise logged of a failure, without anything of the address that could be a secret."""
    words = next((text for text in reversed(answers.words) if text.strip()), "")
    reason = told(mask(masked(words, _secrets(address))), most=_LONGEST_REASON)
    return f": {reason}" if reason else ""


def _secrets(address: str) -> tuple[str, ...]:
    """Return every part of an address that may be a secret: all but its scheme."""
    rest = address.partition("://")[2] or address
    try:
        parts = urlsplit(f"//{rest}")
        pieces = [rest, parts.netloc, *re.split(r"[/@:?&#=,]", rest), *(value for _, value in parse_qsl(parts.query))]
    except ValueError:
        pieces = [rest, *re.split(r"[/@:?&#=,]", rest)]
    return tuple(dict.fromkeys(text for piece in pieces for text in (piece, unquote(piece)) if text))


def _tell(loop: asyncio.AbstractEventLoop, done: asyncio.Future[None], error: Exception | None) -> None:
    def tell() -> None:
        if done.done():  # nobody waits any more
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    try:
        loop.call_soon_threadsafe(tell)
    except RuntimeError:  # the loop has ended
        return


class _Overheard(logging.Handler):
    """Keeps what Apprise logs in the thread that sends; none of it reaches the log, for it may hold parts of an address."""

    def emit(self, record: logging.LogRecord) -> None:
        answers: _Answers | None = getattr(_here, "answers", None)
        if answers is not None and len(answers.words) < 20:
            answers.words.append(record.getMessage())


@cache
def _library() -> Any:
    """Import Apprise, once; raise `NotifyError` where it is not installed."""
    try:
        import apprise  # noqa: PLC0415 - 0.4 s and 40 MB with its services, for those who have a route
        import requests  # noqa: PLC0415 - it comes with apprise
    except ImportError:
        raise NotifyError(
            "apprise is not installed",
            hint="pip install apprise into the environment of this program; the container image has it",
            code="notify-extra",
            is_lasting=True,
        ) from None
    log = logging.getLogger("apprise")
    log.propagate = False
    log.setLevel(logging.WARNING)
    log.handlers = [_Overheard()]
    _listen_beneath(requests)
    return apprise


def _listen_beneath(library: Any) -> None:
    """Let each answer to Apprise be noted, bounded, and no redirect be followed, whatever the service asks for."""
    send = library.Session.send

    def noting(self: Any, request: Any, **options: Any) -> Any:
        answer = send(self, request, **{**options, "allow_redirects": False, "stream": True})
        answers: _Answers | None = getattr(_here, "answers", None)
        if answers is not None:
            answers.statuses.append(answer.status_code)
            known = Response(status=answer.status_code, url="", body=b"", fields=answer.headers)
            answers.retry_after = retry_after(known, time.time())
        try:
            answer._content = answer.raw.read(_LARGEST_ANSWER, decode_content=True)  # noqa: SLF001 - `stream` leaves it to us
        except (OSError, library.packages.urllib3.exceptions.HTTPError) as error:
            raise library.ConnectionError(str(error)) from error
        finally:
            answer.close()
        answer._content_consumed = True  # noqa: SLF001 - see above
        return answer

    library.Session.send = noting
