"""What the system says of a failure reaches people without the words of a library around it."""

from __future__ import annotations

import errno
import socket

import pytest

from updater.errors import reason_of


def chained(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ECONNREFUSED, "Connection refused"), "connection refused"),
        (
            chained(ValueError("HTTPConnection(host='x', port=1): no"), OSError(errno.ENOENT, "No such file")),
            "no such file or directory",
        ),
        (ValueError("aborted", ConnectionResetError(errno.ECONNRESET, "Reset by peer")), "connection reset by peer"),
        (ValueError("HTTPConnection(host='x', port=1): no"), ""),
        (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] Connect"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        (OSError("no number"), ""),
    ],
)
def test_only_the_words_of_the_system_are_kept(error, said):
    assert reason_of(error) == said


def test_a_circle_of_causes_has_an_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert reason_of(first) == ""
