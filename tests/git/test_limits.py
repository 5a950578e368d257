"""Large objects of all repositories share one budget, and the deltas of a pack need little of it at one time."""

import contextlib
import random
import threading
import zlib

import pytest

from tests.fakes import hostile_git as evil
from updater.errors import GitError
from updater.git.inflation import Chains, Surveyor, index_entries, resolved
from updater.git.limits import MEBIBYTE, Bounds, MemoryBudget, RepositoryLimits, shown_size
from updater.git.packed_commits import read_commits


def test_a_budget_lets_one_wait_until_another_is_done():
    budget, order = MemoryBudget(), []
    entered = threading.Event()

    def second():
        entered.set()
        with budget.taken(6 * MEBIBYTE, 10 * MEBIBYTE):
            order.append("second")

    with budget.taken(6 * MEBIBYTE, 10 * MEBIBYTE):
        thread = threading.Thread(target=second)
        thread.start()
        assert entered.wait(10)
        with budget.taken(4 * MEBIBYTE, 10 * MEBIBYTE):
            order.append("beside")
    thread.join(10)
    assert order == ["beside", "second"]


def test_what_never_fits_is_refused_and_what_is_small_never_waits():
    bounds = Bounds(RepositoryLimits(memory=32 * MEBIBYTE))
    with pytest.raises(GitError) as caught, bounds.memory(33 * MEBIBYTE):
        pass
    assert caught.value.code == "git-limit"
    with bounds.memory(32 * MEBIBYTE), bounds.memory(1000):
        pass


@pytest.mark.parametrize(("size", "text"), [(10, "10 bytes"), (2048, "2 KiB"), (3 * 2**19, "1.5 MiB"), (2**33, "8 GiB")])
def test_a_size_is_shown_in_its_unit(size, text):
    assert shown_size(size) == text


def chained(count: int, choose):
    """A pack of one blob and *count* deltas, each on the object that *choose* names; and the bytes of each."""
    made, entries = [b"x" * 5000], [evil.entry(evil.BLOB, b"x" * 5000)]
    for number in range(count):
        base = made[choose(number + 1)]
        more = b"%06d" % number
        instructions = b"\xb0" + len(base).to_bytes(2, "little") + bytes([len(more)]) + more
        name = bytes.fromhex(evil.name_of(evil.BLOB, base))
        entries.append(evil.entry(evil.REF_DELTA, evil.delta(len(base), len(base) + 6, instructions), base=name))
        made.append(base + more)
    return evil.pack(*entries), made


SHAPES = {
    "line": lambda count: count - 1,
    "star": lambda _: 0,
    "binary": lambda count: (count - 1) // 2,
    "any": lambda count: random.Random(count).randrange(count),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_chains_gives_every_object_its_name(shape):
    pack, made = chained(300, SHAPES[shape])
    entries, borrowed = index_entries(pack, Bounds())
    assert {entry[0].hex() for entry in entries} == {evil.name_of(evil.BLOB, data) for data in made}
    assert borrowed == []


def test_few_bases_wait_at_one_time_however_the_chains_branch():
    offsets, size = [12], 5000
    entries = [evil.entry(evil.BLOB, b"x" * size)]
    for number in range(1, 1024):
        base = (number - 1) // 2 if number % 3 else number - 1
        distance = sum(map(len, entries[base:]))
        data = evil.delta(size, size, b"\xb0" + size.to_bytes(2, "little"))
        entries.append(evil.entry(evil.OFS_DELTA, data, base=_distance(distance)))
        offsets.append(offsets[-1] + len(entries[-2]))
    pack = evil.pack(*entries)
    survey = Surveyor(pack, RepositoryLimits(delta_depth=2000)).survey()
    chains, most = Chains(pack, survey, RepositoryLimits(delta_depth=2000)), 0
    for _ in resolved(survey, chains):
        most = max(most, chains._held)
    assert most <= 12 * size


def _distance(value: int) -> bytes:
    out = [value & 0x7F]
    while value := (value >> 7):
        value -= 1
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


@pytest.mark.parametrize("at", [0, 5, 12, 14, 30, -30])
def test_a_pack_that_is_cut_is_refused(at):
    pack, _ = chained(3, SHAPES["line"])
    with pytest.raises((ValueError, IndexError, zlib.error)):
        index_entries(pack[:at], Bounds())


def messages(count: int, size: int) -> list[bytes]:
    return [evil.commit_of("1" * 40, b"%06d" % number + b"m" * size) for number in range(count)]


def whole(made):
    return evil.pack(*(evil.entry(evil.COMMIT, data) for data in made))


def pointed(made):
    """Each commit is a delta of the first one, which it says how far away it stands."""
    entries = [evil.entry(evil.COMMIT, made[0])]
    for data in made[1:]:
        entries.append(evil.entry(evil.OFS_DELTA, _replaced(made[0], data), base=_distance(sum(map(len, entries)))))
    return evil.pack(*entries)


def named(made):
    base = bytes.fromhex(evil.name_of(evil.COMMIT, made[0]))
    deltas = (evil.entry(evil.REF_DELTA, _replaced(made[0], data), base=base) for data in made[1:])
    return evil.pack(evil.entry(evil.COMMIT, made[0]), *deltas)


def _replaced(base: bytes, data: bytes) -> bytes:
    at = next(place for place in range(len(base)) if base[place : place + 6] == b"000000")
    head = b"\xb0" + at.to_bytes(2, "little")
    rest = len(base) - at - 6
    tail = b"\xff" + (at + 6).to_bytes(4, "little") + rest.to_bytes(3, "little")
    return evil.delta(len(base), len(data), head + b"\x06" + data[at : at + 6] + tail)


@pytest.mark.parametrize("packed", [whole, pointed, named])
def test_small_packs_of_long_messages_are_refused_before_they_fill_the_memory(packed):
    made = messages(40, MEBIBYTE)
    sent, read = packed(made), []
    assert len(sent) < MEBIBYTE
    with contextlib.ExitStack() as held:
        with pytest.raises(GitError) as caught:
            read.extend(read_commits(sent, Bounds(RepositoryLimits(memory=32 * MEBIBYTE)), held))
        assert caught.value.code == "git-limit"
        assert "git.limits.memory" in caught.value.hint
    assert sum(map(len, read)) <= 32 * MEBIBYTE
    with contextlib.ExitStack() as held:
        assert sorted(read_commits(sent, Bounds(), held)) == made


def test_the_memory_of_a_history_is_taken_until_it_is_done_with():
    bounds = Bounds(RepositoryLimits(memory=32 * MEBIBYTE))
    for _ in range(2):
        with contextlib.ExitStack() as held:
            assert len(list(read_commits(whole(messages(20, MEBIBYTE)), bounds, held))) == 20
            assert bounds.budget._taken >= 20 * MEBIBYTE
        assert bounds.budget._taken == 0
