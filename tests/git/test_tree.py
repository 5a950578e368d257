"""Trees are listed and read in the order of Git, from a mirror and from a checkout alike."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.git_server import BareRepository
from updater.errors import EditError, GitError
from updater.git.tree import CheckoutTree, EntryKind, check_path, is_lfs_pointer, normal

pytestmark = pytest.mark.real
EVERYTHING = {
    "a.b": b"1",
    "a/z": b"2",
    "a0": b"3",
    "run.sh": ("100755", b"#!/bin/sh\n"),
    "link": ("120000", b"a/z"),
    "module": ("160000", b"1" * 40),
    "dir/später.yaml": "ä".encode(),
}


@pytest.fixture
async def tree(repository, mirror):
    repository.commit(EVERYTHING)
    head = await mirror.look("main")
    await mirror.fetch("main")
    found = await mirror.tree(head.revision, lambda tree: tree)
    mirror._keeper.store.open()
    return found


async def test_entries_come_in_the_order_of_git_with_kind_and_mode(repository, tree):
    listed = [line.split("\t") for line in repository.git("-c", "core.quotepath=off", "ls-tree", "-r", "main").splitlines()]
    assert [(f"{entry.mode:06o}", entry.id, entry.path) for entry in tree.entries()] == [
        (row.split()[0], row.split()[2], path) for row, path in listed
    ]
    assert {entry.path: entry.kind for entry in tree.entries()}["module"] is EntryKind.SUBMODULE


async def test_a_prefix_may_be_a_folder_a_file_or_nothing(tree):
    assert [entry.path for entry in tree.entries("apps")] == ["apps/a.yaml", "apps/b.yaml", "apps/deep/c.yaml"]
    assert [entry.path for entry in tree.entries("./apps/deep/")] == ["apps/deep/c.yaml"]
    assert [entry.path for entry in tree.entries("apps/a.yaml")] == ["apps/a.yaml"]
    assert list(tree.entries("nowhere")) == list(tree.entries("apps/a.yaml/x")) == []


async def test_reading_says_what_stands_there_instead_of_a_file(tree):
    assert tree.read("./dir/später.yaml") == "ä".encode()
    for path, code in {"nowhere": "no-file", "apps": "no-file", "link": "symlink", "module": "submodule"}.items():
        with pytest.raises(EditError) as caught:
            tree.read(path)
        assert (caught.value.code, caught.value.path) == (code, path)
        assert caught.value.hint
    assert tree.entry("apps") is None
    assert tree.entry("link").kind is EntryKind.SYMLINK


async def test_a_revision_that_was_never_fetched_is_told(mirror, tree):
    with pytest.raises(GitError) as caught:
        await mirror.tree("0" * 40, lambda tree: tree)
    assert caught.value.code == "history-missing"


async def test_many_folders_are_read_with_a_bounded_memory(repository, mirror):
    repository.commit({f"many/{number}/x": b"%d" % number for number in range(300)})
    head = await mirror.look("main")
    await mirror.fetch("main")

    def read(tree):
        assert [tree.read(f"many/{number}/x") for number in range(300)] == [b"%d" % number for number in range(300)]
        return len(tree._folders)

    assert await mirror.tree(head.revision, read) < 300


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    for path in (".git/config", "a.b", "a/z", "a0", "run.sh", "sub/.git/HEAD", "sub/x"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("a/z")
    (folder / "out").symlink_to("a")
    os.mkfifo(folder / "pipe")
    return CheckoutTree(folder)


def test_a_checkout_lists_files_never_git_and_never_through_links(checkout):
    assert [entry.path for entry in checkout.entries()] == ["a.b", "a/z", "a0", "link", "out", "run.sh", "sub/x"]
    assert [entry.path for entry in checkout.entries("a/z")] == ["a/z"]
    assert list(checkout.entries("out/z")) == []
    assert [entry.kind for entry in checkout.entries("out")] == [EntryKind.SYMLINK]
    assert checkout.entry("run.sh").mode == 0o100755
    assert checkout.entry("out/z") is checkout.entry("pipe") is checkout.entry("nowhere") is None
    assert list(checkout.entries("nowhere")) == []


def test_a_checkout_reads_and_replaces_keeping_the_rights(checkout):
    assert checkout.read("a/z") == b"a/z"
    checkout.replace("run.sh", b"new")
    checkout.replace("new/file", b"made")
    assert (checkout.folder / "run.sh").stat().st_mode & 0o777 == 0o755
    assert checkout.read("new/file") == b"made"
    assert not list(checkout.folder.glob(".updater*"))


@pytest.mark.parametrize(
    ("path", "code"),
    [("link", "symlink"), ("out/z", "symlink"), ("../x", "path"), (".git/config", "path"), ("a/z/below", "not-written")],
)
def test_a_checkout_writes_only_where_it_may(checkout, path, code):
    with pytest.raises(EditError) as caught:
        checkout.replace(path, b"evil")
    assert caught.value.code == code
    assert caught.value.hint
    assert (checkout.folder / "a/z").read_bytes() == b"a/z"


@pytest.mark.parametrize("path", ["link", "nowhere", "a"])
def test_a_checkout_reads_files_only(checkout, path):
    with pytest.raises(EditError):
        checkout.read(path)


UNSAFE = [
    "",
    ".",
    "/etc/passwd",
    "../x",
    "a/../x",
    "a/..",
    ".git/config",
    "a/.git/config",
    ".GIT/config",
    ".Git",
    ".git ",
    ".git.",
    ".git. .",
    ".git::$INDEX_ALLOCATION/config",
    ".git:x",
    "git~1/config",
    "GIT~1",
    ".g\u200cit/config",
    ".gi\u202et",
    "\ufeff.git",
    "a\\..\\b",
    "a\\.git\\config",
    "a//b",
    "a/",
    "a\0b",
]


@pytest.mark.parametrize("path", UNSAFE)
def test_no_path_leaves_the_tree_or_touches_git_in_any_spelling(path):
    with pytest.raises(EditError) as caught:
        check_path(path)
    assert (caught.value.code, caught.value.path) == ("path", path)


@pytest.mark.parametrize("path", ["a", "./a/b", "...", ".gitignore", ".github/x", "git~2", "a/.gitattributes", "x.git/y", "ä/ö"])
def test_everyday_paths_may_be_written(path):
    check_path(path)


@given(st.lists(st.sampled_from(["a", "..", ".git", ".", "b c", "GIT~1", ".gIt"]), min_size=1, max_size=4))
def test_a_path_is_refused_exactly_when_a_part_of_it_is_unsafe(parts):
    path = "x/" + "/".join(parts)
    is_unsafe = any(part in {"..", ".git", "GIT~1", ".gIt"} for part in parts)
    if is_unsafe:
        with pytest.raises(EditError):
            check_path(path)
    else:
        check_path(path)
        assert ".." not in normal(path).split("/")


def test_a_pointer_to_large_file_storage_is_recognised():
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    assert is_lfs_pointer(pointer)
    assert is_lfs_pointer(b"version https://hawser.github.com/spec/v1\n")
    assert not is_lfs_pointer(b"kind: x\n")
    assert not is_lfs_pointer(pointer + b"x" * 1024)


def test_fast_import_made_what_the_tests_believe(git_program, tmp_path):
    made = BareRepository.make(tmp_path / "x.git", EVERYTHING)
    assert made.show("a/z") == b"2"
