"""What the system says of a failure reaches people without the words of a library around it."""

from __future__ import annotations

import errno

import pytest

from updater.errors import reason_of


def chained(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ECONNREFUSED, "Connection refused"), "connection refused"),
        (chained(ValueError("HTTPConnection(host='x', port=1): no"), OSError(errno.ENOENT, "No such file")), "no such file"),
        (ValueError("aborted", ConnectionResetError(errno.ECONNRESET, "Reset by peer")), "reset by peer"),
        (ValueError("HTTPConnection(host='x', port=1): no"), ""),
        (OSError("no number"), ""),
    ],
)
def test_only_the_words_of_the_system_are_kept(error, said):
    assert reason_of(error).startswith(said)
    assert bool(reason_of(error)) is bool(said)


def test_a_circle_of_causes_has_an_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert reason_of(first) == ""
