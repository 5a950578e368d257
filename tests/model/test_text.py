"""Text that holds the bytes of a name is shown by every output, and as Git writes it in a patch."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.git_server import run_git
from tests.real.parts import require
from updater.model.outcome import Outcome, Status
from updater.model.problem import Problem
from updater.model.text import is_plain, quoted, shown
from updater.model.update import Change

ODD = b"caf\xe9/\xff.yaml".decode("utf-8", "surrogateescape")


@given(st.binary())
def test_whatever_the_bytes_of_a_name_it_is_shown_and_utf8_is_shown_as_it_is(name):
    text = name.decode("utf-8", "surrogateescape")
    orjson.dumps(shown(text))
    assert is_plain(text) == (text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") == text)
    assert shown(shown(text)) == shown(text)


@pytest.mark.parametrize(
    ("text", "seen"), [(ODD, r"caf\xe9/\xff.yaml"), ("später.yaml", "später.yaml"), ("a\ud800b", r"a\ud800b"), ("", "")]
)
def test_a_byte_that_is_no_utf8_is_shown_by_its_number(text, seen):
    assert shown(text) == seen


def test_outcomes_and_problems_can_be_shown_whatever_the_path():
    change = Change(path=ODD, line=1, where="image", old="1", new="2", setter="", object_id=("", "", "", ""))
    outcome = Outcome(key="k", target="t", status=Status.FAILED, detail=f"{ODD} is a symlink", changes=(change,))
    assert (outcome.detail, outcome.changes[0].path) == (r"caf\xe9/\xff.yaml is a symlink", r"caf\xe9/\xff.yaml")
    problem = Problem(path=ODD, code="x", message=f"{ODD} is odd")
    assert str(problem) == r"caf\xe9/\xff.yaml: caf\xe9/\xff.yaml is odd"


@pytest.mark.real
@pytest.mark.parametrize("name", [b"a b", b"caf\xe9", "später".encode(), b'q"\\\t\x01', b"a'$"])
def test_a_path_is_quoted_as_git_quotes_it(tmp_path, name):
    require("git")
    run_git("init", "-q", tmp_path)
    blob = run_git("hash-object", "-w", "--stdin", cwd=tmp_path, data=b"x").strip()
    tree = run_git("mktree", "-z", cwd=tmp_path, data=b"100644 blob %s\t%s\0" % (blob.encode(), name)).strip()
    assert quoted(name) == run_git("ls-tree", "--name-only", tree, cwd=tmp_path).rstrip("\n")
