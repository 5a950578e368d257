"""Whatever bytes a server sends or a disk gives back, a mirror gives the right content or a named error of ours."""

import gc
import os
import random
import struct
import weakref
import zlib

import pytest

from tests.fakes.scripted_git import BLOB, COMMIT, TREE, ScriptedGit, commit_of, entry, name_of, pack, packet, tree_of
from tests.git.conftest import read_files
from updater.errors import EditError, GitError
from updater.git import damage
from updater.git.blob_index import SearchQuery
from updater.git.objects import BLOB as BLOB_KIND
from updater.git.objects import COMMIT as COMMIT_KIND
from updater.git.objects import TREE as TREE_KIND
from updater.git.store import MirrorStore

DATA = b"image: app:1.0 # marker\n"
ROOT = tree_of((b"100644", b"a.yaml", name_of(BLOB, DATA)))
TIP = commit_of(name_of(TREE, ROOT))
HEAD = name_of(COMMIT, TIP)
GOOD = [entry(COMMIT, TIP), entry(TREE, ROOT), entry(BLOB, DATA)]
# what the library did not close when it failed is closed by the collector of garbage
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def collected():
    yield
    gc.collect()  # here, where it is expected, and not in a test that follows


MARKER = SearchQuery(rule="all", wants=lambda _path: True, needles=(b"marker",))


def with_root(root: bytes) -> tuple[str, bytes]:
    tip = commit_of(name_of(TREE, root))
    return name_of(COMMIT, tip), pack([entry(COMMIT, tip), entry(TREE, root), entry(BLOB, DATA)])


OLD_ROOT = tree_of((b"100644", b"old.yaml", name_of(BLOB, b"old\n")))
OLD_TIP = commit_of(name_of(TREE, OLD_ROOT))
OLD_HEAD, OLD = name_of(COMMIT, OLD_TIP), pack([entry(COMMIT, OLD_TIP), entry(TREE, OLD_ROOT), entry(BLOB, b"old\n")])

BAD = {
    "count too large": (HEAD, pack(GOOD, count=2**32 - 1)),
    "count one more": (HEAD, pack(GOOD, count=4)),
    "count too small": (HEAD, pack(GOOD, count=1)),
    "count of none": (HEAD, pack([], count=0)),
    "wrong sum": (HEAD, pack(GOOD, checksum=b"\0" * 20)),
    "other version": (HEAD, pack(GOOD, version=9)),
    "no pack": (HEAD, b"no pack at all" * 10),
    "header alone": (HEAD, b"PACK"),
    "cut": (HEAD, pack(GOOD)[:-40]),
    "size too large": (HEAD, pack([GOOD[0], GOOD[1], entry(BLOB, DATA, size=10**9)])),
    "size of two to the seventy": (HEAD, pack([GOOD[0], GOOD[1], entry(BLOB, DATA, size=2**70)])),
    "size too small": (HEAD, pack([GOOD[0], GOOD[1], entry(BLOB, DATA, size=1)])),
    "kind of none": (HEAD, pack([GOOD[0], GOOD[1], entry(0, DATA)])),
    "kind reserved": (HEAD, pack([GOOD[0], GOOD[1], entry(5, DATA)])),
    "no zlib": (HEAD, pack([GOOD[0], GOOD[1], entry(BLOB, DATA, compressed=b"\xff" * 60)])),
    "zlib cut": (HEAD, pack([GOOD[0], GOOD[1], entry(BLOB, DATA, compressed=zlib.compress(DATA)[:-6])])),
    "base missing": (HEAD, pack([GOOD[0], GOOD[1], entry(7, b"\x18\x18\x18", prefix=b"\x11" * 20)])),
    "base before the start": (HEAD, pack([GOOD[0], GOOD[1], entry(6, b"\x18\x18\x18", prefix=b"\xff\xff\x7f")])),
    "base is itself": (HEAD, pack([GOOD[0], GOOD[1], entry(6, b"\x18\x18\x18", prefix=b"\0")])),
    "delta past its base": (
        HEAD,
        pack([*GOOD, entry(7, b"\x18\x7f\xff\xff\xff\xff\xff\xff\xff\xff", prefix=bytes.fromhex(HEAD))]),
    ),
    "delta empty": (HEAD, pack([*GOOD, entry(7, b"", prefix=bytes.fromhex(name_of(BLOB, DATA)))])),
    "another commit": (HEAD, pack([entry(BLOB, b"nothing")])),
    "no root": (HEAD, pack([GOOD[0], GOOD[2]])),
    "no file": (HEAD, pack([GOOD[0], GOOD[1]])),
    "a tree that is cut": with_root(ROOT[:-3]),
    "a tree without an end": with_root(b"100644 a.yaml"),
    "a mode that is not a number": with_root(b"wxyz" + ROOT[6:]),
    "a mode without end": with_root(b"7" * 300 + ROOT[6:]),
    "a tree that is a file": (
        name_of(COMMIT, commit_of(name_of(BLOB, DATA))),
        pack([entry(COMMIT, commit_of(name_of(BLOB, DATA)))]),
    ),
    "a head that is a tree": (name_of(TREE, ROOT), pack(GOOD)),
    "a head that is not a name": ("../../etc/passwd".ljust(40, "x"), pack(GOOD)),
}


async def everything(mirror) -> dict[str, bytes]:
    head = await mirror.look("main")
    await mirror.fetch("main")
    found = await mirror.search(head.revision, ".", MARKER)
    await mirror.tree(head.revision, lambda tree: [tree.read(item.path) for item in tree.entries()])
    await mirror.history(head.revision)
    return await read_files(mirror, head.revision, found)


@pytest.mark.parametrize("lie", BAD)
async def test_a_pack_that_lies_is_a_named_error_and_the_next_good_one_heals(mirrors, lie):
    head, lying = BAD[lie]
    async with ScriptedGit(head, lying) as server:
        mirror = mirrors(server.url, name="lied-to")
        for _ in range(2):
            await refused(mirror)
        server.head, server.pack = HEAD, pack(GOOD)
        assert await everything(mirror) == {"a.yaml": DATA}


@pytest.mark.parametrize("lie", BAD)
async def test_a_pack_that_lies_beside_what_is_held_already_is_a_named_error_too(mirrors, lie):
    head, lying = BAD[lie]
    async with ScriptedGit(OLD_HEAD, OLD) as server:
        mirror = mirrors(server.url, name="lied-to")
        assert await everything(mirror) == {}
        server.head, server.pack = head, lying
        await refused(mirror)
        server.head, server.pack = HEAD, pack(GOOD)
        assert await everything(mirror) == {"a.yaml": DATA}


async def refused(mirror) -> None:
    with pytest.raises(GitError) as caught:
        await everything(mirror)
    assert caught.value.code in {"git-protocol", "git-limit", "git-object", "history-missing", "mirror-broken"}


async def test_random_bytes_in_a_pack_are_right_content_or_a_named_error(mirrors):
    chance = random.Random(5)
    async with ScriptedGit(HEAD, b"") as server:
        for number in range(60):
            body = bytearray(b"".join(GOOD))
            for _ in range(chance.randint(1, 3)):
                body[chance.randrange(len(body))] = chance.randrange(256)
            server.pack = pack([bytes(body)], count=3)
            mirror = mirrors(server.url, name=f"m{number}")
            try:
                assert await everything(mirror) == {"a.yaml": DATA}
            except GitError as error:
                assert error.code in {"git-protocol", "git-limit", "git-object", "history-missing", "mirror-broken"}  # noqa: PT017


async def test_a_history_of_odd_packs_is_a_named_error(mirrors):
    async with ScriptedGit(HEAD, pack(GOOD)) as server:
        for lie, (head, lying) in BAD.items():
            server.head, server.pack = head, lying
            mirror = mirrors(server.url, name=lie.replace(" ", "-"))
            try:
                await mirror.look("main")
                await mirror.history(HEAD)
            except GitError as error:
                assert error.code in {"git-protocol", "git-limit", "history-missing"}, lie  # noqa: PT017


def test_what_was_read_of_a_pack_is_freed_when_the_store_is_closed(tmp_path):
    """A daemon opens stores all day: what it held of each waits for no search for cycles."""
    store = stored(tmp_path / "m")
    gc.collect()
    gc.disable()
    try:
        store.open()
        assert store.packs.load(HEAD, COMMIT_KIND) == TIP
        held = [weakref.ref(pack) for pack in store.packs._objects.packs]
        assert held
        store.close()
        assert [pack() for pack in held] == [None] * len(held)
    finally:
        gc.enable()


def stored(folder) -> MirrorStore:
    store = MirrorStore(folder)
    store.open()
    with store.packs.spool() as spool:
        spool.write(pack(GOOD))
        store.packs.receive(spool.rewind(), is_thin=False)
    store.settle({"main": HEAD})
    store.close()
    return store


@pytest.mark.parametrize("suffix", ["idx", "pack"])
def test_no_byte_on_disk_whatever_it_becomes_ends_in_anything_but_content_or_a_named_error(tmp_path, suffix):
    """Odd numbers in an index once left as `OverflowError`: an offset far out, a count that lies, a table that goes down."""
    stored(tmp_path / "first")
    [file] = (tmp_path / "first" / "objects" / "pack").glob(f"*.{suffix}")
    whole = file.read_bytes()
    file.chmod(0o644)
    for at in range(len(whole)):
        for value in (0x00, 0x80, 0xFF):
            file.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            store = MirrorStore(tmp_path / "first")
            store._read()
            store.packs.open()
            for name, kind, data in (
                (HEAD, COMMIT_KIND, TIP),
                (name_of(TREE, ROOT), TREE_KIND, ROOT),
                (name_of(BLOB, DATA), BLOB_KIND, DATA),
            ):
                try:
                    assert store.packs.load(name, kind) == data
                except GitError as error:
                    assert error.code == "mirror-broken"  # noqa: PT017
            store.close()


@pytest.mark.parametrize("number", [2**31, 2**63, 2**64 - 1])
def test_a_far_offset_in_an_index_is_damage(tmp_path, number):
    store = stored(tmp_path / "m")
    [file] = (tmp_path / "m" / "objects" / "pack").glob("*.idx")
    file.chmod(0o644)
    raw = bytearray(file.read_bytes())
    at = 8 + 1024 + 3 * 20 + 3 * 4
    for index in range(3):
        raw[at + 4 * index : at + 4 * index + 4] = struct.pack(">I", 2**31)
    file.write_bytes(bytes(raw[:-40]) + struct.pack(">Q", number) + bytes(raw[-40:]))
    store.open()
    with pytest.raises(GitError) as caught:
        store.packs.load(HEAD, COMMIT_KIND)
    assert caught.value.code == "mirror-broken"
    store.close()


@pytest.mark.parametrize("name", ["packed-refs", "shallow"])
def test_a_file_of_the_state_too_large_for_memory_is_damage_and_never_read(tmp_path, name):
    said: list[str] = []
    stored(tmp_path / "m")
    os.truncate(tmp_path / "m" / name, 2**40)
    store = MirrorStore(tmp_path / "m", say=said.append)
    store.open()
    assert (store.heads, len(said)) == ({}, 1)
    store.close()


def test_what_a_killed_process_left_is_swept_at_the_start(tmp_path):
    stored(tmp_path / "m")
    folder = tmp_path / "m"
    left = ("objects/tmp_pack_x", "objects/pack/tmpabc.tmp", "objects/pack/tmpabc.pack", "objects/pack/pack-1.idx.lock")
    halves = ("objects/pack/pack-11.pack", "objects/pack/pack-22.idx", "packed-refs.123.new", "updater-readings.77")
    for name in (*left, *halves):
        (folder / name).write_bytes(b"half")
    store = MirrorStore(folder)
    store.open()
    assert store.holds(HEAD)
    store.close()
    assert not [name for name in (*left, *halves) if (folder / name).exists()]
    assert len(list((folder / "objects" / "pack").iterdir())) == 2


class PanicException(BaseException):
    """Looks like what compiled code raises when it panics."""


@pytest.mark.parametrize(("error", "is_ours"), [(PanicException(), True), (OverflowError(), True), (KeyboardInterrupt(), False)])
def test_a_panic_of_compiled_code_is_damage_and_an_interrupt_is_not(error, is_ours, tmp_path):
    found = damage.Damage(tmp_path)
    with pytest.raises(GitError if is_ours else KeyboardInterrupt), found.noted():
        raise error
    assert found.is_found is is_ours


def test_packets_are_as_long_as_they_say():
    assert packet("a") == b"0005a"


SUB = tree_of((b"100644", b"b.yaml", name_of(BLOB, DATA)))
KINDS = {"tree": (TREE, SUB), "commit": (COMMIT, TIP)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_delta", [False, True])
async def test_an_object_named_as_a_file_that_is_none_is_a_problem_of_that_path_and_costs_no_fetch(mirrors, kind, is_delta):
    number, data = KINDS[kind]
    root = tree_of((b"100644", b"a.yaml", name_of(BLOB, DATA)), (b"100644", b"odd.yaml", name_of(number, data)))
    tip = commit_of(name_of(TREE, root))
    packed = [entry(number, data)]
    if is_delta:  # of the same kind as its base, which it repeats and adds a byte to
        other = data[:-1] if kind == "commit" else tree_of((b"100644", b"c.yaml", name_of(BLOB, DATA)))
        base, made = (data, other) if kind == "tree" else (data, data + b"more\n")
        root = tree_of((b"100644", b"a.yaml", name_of(BLOB, DATA)), (b"100644", b"odd.yaml", name_of(number, made)))
        tip = commit_of(name_of(TREE, root))
        packed = [entry(number, base), entry(7, whole(len(base), made), prefix=bytes.fromhex(name_of(number, base)))]
    async with ScriptedGit(
        name_of(COMMIT, tip), pack([entry(COMMIT, tip), entry(TREE, root), entry(BLOB, DATA), *packed])
    ) as server:
        mirror = mirrors(server.url)
        head = await mirror.look("main")
        await mirror.fetch("main")
        found = await mirror.search(head.revision, ".", MARKER)
        assert [item.path for item in found] == ["a.yaml", "odd.yaml"]
        assert await mirror.tree(head.revision, lambda tree: tree.read("a.yaml")) == DATA
        with pytest.raises(EditError) as caught:
            await mirror.tree(head.revision, lambda tree: tree.read("odd.yaml"))
        assert (caught.value.code, caught.value.path) == ("not-a-blob", "odd.yaml")
        assert f"is a {kind}" in caught.value.message
    assert mirrors.kinds.count("fetch") == 1


async def test_a_folder_that_is_a_file_blames_the_repository_and_not_the_mirror(mirrors):
    root = tree_of((b"40000", b"apps", name_of(BLOB, DATA)))
    tip = commit_of(name_of(TREE, root))
    async with ScriptedGit(name_of(COMMIT, tip), pack([entry(COMMIT, tip), entry(TREE, root), entry(BLOB, DATA)])) as server:
        mirror = mirrors(server.url)
        head = await mirror.look("main")
        await mirror.fetch("main")
        with pytest.raises(GitError) as caught:
            await mirror.search(head.revision, ".", MARKER)
    assert caught.value.code == "git-object"
    assert "is a blob, and the repository names it as a tree" in caught.value.message


def whole(base: int, data: bytes) -> bytes:
    """Return the delta that inserts *data* and copies nothing of its base."""
    assert max(base, len(data)) < 2**14
    sizes = b"".join(bytes([size & 0x7F | 0x80, size >> 7]) for size in (base, len(data)))
    return sizes + b"".join(bytes([len(part)]) + part for part in (data[at : at + 100] for at in range(0, len(data), 100)))
