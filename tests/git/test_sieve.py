"""What comes in is searched on the way, so that the search that follows inflates nothing again."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import hostile_git as evil
from tests.fakes.git_server import BareRepository
from tests.git.test_limits import SHAPES, chained
from updater.errors import GitError
from updater.git.access import GitAccess
from updater.git.inflation import index_entries
from updater.git.limits import Bounds, RepositoryLimits
from updater.git.mirror import Mirror, SearchQuery, Shared
from updater.git.sieve import MOST, Sieve, Sought

MARK = b"$mark"
MARKED = SearchQuery(rule="all", wants=lambda _: True, needles=(MARK,))
FILES = {"a.yaml": b"x: 1 # $mark\n", "b.yaml": b"y: 2\n", "c/d.yaml": b"z" * 200_000 + MARK, "c/e.bin": bytes(range(256))}


@pytest.fixture
def search(tmp_path):
    """Fetch and search a repository whose searches may read nothing."""
    repository = BareRepository.make(tmp_path / "r.git", FILES)
    shared = Shared(bounds=Bounds(RepositoryLimits(search=0)))

    async def run(sought, query=MARKED):
        mirror = Mirror(str(repository.path), tmp_path / "mirror", GitAccess(), shared)
        try:
            head = await mirror.look("main")
            await mirror.fetch("main", sought=sought)
            return [entry.path for entry in await mirror.search(head.revision, "", query)]
        finally:
            await mirror.close()

    return run


async def test_a_search_for_what_was_sought_at_the_fetch_reads_no_file(search):
    assert await search((MARK,)) == ["a.yaml", "c/d.yaml"]


@pytest.mark.parametrize("sought", [(), (b"other",), (MARK, b"other")])
async def test_a_search_for_anything_else_reads_every_file(search, sought):
    with pytest.raises(GitError) as caught:
        await search(sought)
    assert caught.value.code == "git-limit"


@pytest.mark.parametrize("shape", SHAPES)
def test_files_that_come_as_deltas_are_judged_as_what_they_are(shape):
    pack, made = chained(60, SHAPES[shape])
    needle = b"000007"
    sieve = Sieve((needle,))
    index_entries(pack, Bounds(), sieve=sieve)
    for data in made:
        assert sieve.verdict(evil.name_of(evil.BLOB, data), (needle,)) is (needle in data)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)), st.sampled_from([b"a", b"ab", b"aab", b"\0\0"]))
def test_pieces_find_what_the_whole_holds(data, cuts, needle):
    text = data.replace(b"\1", b"a").replace(b"\2", b"b")
    sought, edges = Sought((needle,)), [0, *sorted(cuts), len(text)]
    for at, end in itertools.pairwise(edges):
        sought.take(text[at:end])
    assert sought.is_found is (needle in text)


def test_no_more_is_remembered_than_has_room():
    sieve = Sieve((MARK,))
    for number in range(MOST + 5):
        sieve.note(number.to_bytes(20, "big"), is_hit=True)
    told = partial(sieve.verdict, needles=(MARK,))
    assert told((MOST - 1).to_bytes(20, "big").hex()) is True
    assert told(MOST.to_bytes(20, "big").hex()) is None
