"""A search reads each blob once in its life, and answers as if it had read everything."""

import hashlib
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from updater.git.blob_index import SearchIndex, SearchQuery
from updater.git.objects import BLOB, COMMIT, TREE, object_name
from updater.git.tree import RevisionTree

NEEDLE = b"$imagepolicy"


class Shelf:
    """Objects in memory, counting what is read; what `Store` is to the index."""

    def __init__(self):
        self.objects = {}
        self.reads = 0

    def put(self, kind, data):
        name = object_name(kind, data)
        self.objects[name] = (kind, data)
        return name

    def load(self, name, kind):
        self.reads += kind == BLOB
        return self.objects[name][1]

    def scan(self, names):
        return [(name, self.load(name, BLOB)) for name in names]

    def size(self, name):
        return len(self.load(name, BLOB))

    def holding(self, names, needles):
        return [(name, any(needle in data for needle in needles)) for name, data in self.scan(names)]

    def folder(self, files):
        rows = {}
        for path, value in files.items():
            first, _, rest = path.partition("/")
            if rest:
                rows.setdefault(first, {})[rest] = value
            else:
                rows[first] = value
        lines = []
        for name in sorted(rows, key=lambda key: key + "/" * isinstance(rows[key], dict)):
            value = rows[name]
            if isinstance(value, dict):
                mode, child = b"40000", self.folder(value)
            elif isinstance(value, tuple):
                mode, child = value[0], self.put(BLOB, value[1])
            else:
                mode, child = b"100644", self.put(BLOB, value)
            lines.append(mode + b" " + name.encode() + b"\0" + bytes.fromhex(child))
        return self.put(TREE, b"".join(lines))

    def tree(self, files):
        text = f"tree {self.folder(files)}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nm\n"
        return RevisionTree(self, self.put(COMMIT, text.encode()))


def question(rule="all", wants=lambda path: True, needles=(NEEDLE,)):
    return SearchQuery(rule=rule, wants=wants, needles=needles)


def paths(entries):
    return [entry.path for entry in entries]


FILES = {"a.yaml": NEEDLE, "b/c.yaml": NEEDLE + b"2", "b/d.txt": b"no", "b0": NEEDLE + b"3", "b.x": b"4" + NEEDLE}


def test_files_come_in_the_order_of_git_below_the_prefix(tmp_path):
    index, tree = SearchIndex(tmp_path / "index"), Shelf().tree(FILES)
    assert paths(index.search(tree, ".", question())) == ["a.yaml", "b.x", "b/c.yaml", "b0"]
    assert paths(index.search(tree, "b", question())) == ["b/c.yaml"]
    assert paths(index.search(tree, "./a.yaml", question())) == ["a.yaml"]
    assert paths(index.search(tree, "b/d.txt", question())) == []
    assert paths(index.search(tree, "nowhere", question())) == []


def test_symlinks_submodules_and_unwanted_files_are_never_read(tmp_path):
    shelf = Shelf()
    tree = shelf.tree({"link": (b"120000", NEEDLE), "module": (b"160000", NEEDLE), "x.txt": NEEDLE, "y.yaml": NEEDLE})
    index = SearchIndex(tmp_path / "index")
    assert paths(index.search(tree, ".", question("yaml", lambda path: path.endswith(".yaml")))) == ["y.yaml"]
    assert shelf.reads == 1
    assert paths(index.search(tree, "link", question())) == []


def test_only_blobs_never_seen_are_read_also_after_a_restart(tmp_path):
    shelf = Shelf()
    index = SearchIndex(tmp_path / "index")
    index.search(shelf.tree(FILES), ".", question())
    shelf.reads = 0
    moved = {**FILES, "b/new.yaml": NEEDLE + b"new", "copy.yaml": NEEDLE}
    assert paths(index.search(shelf.tree(moved), ".", question()))[-1] == "copy.yaml"
    assert shelf.reads == 1
    index.save()
    again = SearchIndex(tmp_path / "index")
    shelf.reads = 0
    assert paths(again.search(shelf.tree(moved), ".", question())) == [
        "a.yaml",
        "b.x",
        "b/c.yaml",
        "b/new.yaml",
        "b0",
        "copy.yaml",
    ]
    assert shelf.reads == 0


def test_another_rule_or_needle_is_another_question(tmp_path):
    shelf, index = Shelf(), SearchIndex(tmp_path / "index")
    tree = shelf.tree(FILES)
    index.search(tree, ".", question())
    assert paths(index.search(tree, ".", question("txt", lambda path: path.endswith(".txt")))) == []
    assert paths(index.search(tree, ".", question(needles=(b"no", b"nothing")))) == ["b/d.txt"]
    assert paths(index.search(tree, ".", question())) == ["a.yaml", "b.x", "b/c.yaml", "b0"]


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"0\n{}", None, "flip", "version", "huge"])
def test_a_broken_or_foreign_index_file_is_built_anew(tmp_path, damage):
    shelf, file = Shelf(), tmp_path / "index"
    index = SearchIndex(file)
    index.search(shelf.tree(FILES), ".", question())
    index.save()
    text = file.read_bytes()
    if damage is None:
        file.unlink()
    elif damage == "flip":
        file.write_bytes(text.replace(b"b.x", b"b.y"))
    elif damage == "huge":
        os.truncate(file, 2**40)
    elif damage == "version":
        file.write_bytes(hashlib.sha256(b'{"version":0}').hexdigest().encode() + b'\n{"version":0}')
    else:
        file.write_bytes(damage)
    assert paths(SearchIndex(file).search(shelf.tree(FILES), ".", question())) == ["a.yaml", "b.x", "b/c.yaml", "b0"]


def test_an_index_that_cannot_be_kept_still_answers(tmp_path):
    index = SearchIndex(tmp_path / "nowhere" / "index")
    assert len(index.search(Shelf().tree(FILES), ".", question())) == 4
    index.save()


def test_what_is_remembered_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("updater.git.blob_index._SPARE", 2)
    monkeypatch.setattr("updater.git.blob_index._SAVE_AFTER", 1)
    shelf, index = Shelf(), SearchIndex(tmp_path / "index")
    for number in range(20):
        files = {"kept/a": NEEDLE + b"kept", "kept/b": b"plain", "d/a": NEEDLE + b"%d" % number, "d/b": b"plain %d" % number}
        assert [entry.path for entry in index.search(shelf.tree(files), ".", question())] == ["d/a", "kept/a"]
    [seen], [hits] = index._seen.values(), index._hits.values()
    assert len(seen) < 20
    assert len(hits) < 20
    assert shelf.reads < 4 + 20 * 4  # what is forgotten is read again only in a folder that changed
    assert (tmp_path / "index").exists()


names = st.sampled_from(["a", "b", "c.yaml", "d.txt"])
trees = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map(lambda parts: "/".join([*(part + ".d" for part in parts[:-1]), parts[-1]])),
    st.sampled_from([b"", b"plain", NEEDLE, b"x" + NEEDLE]),
    max_size=8,
)


@pytest.mark.parametrize("spare", [0, 20_000])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(trees, min_size=1, max_size=4))
def test_every_answer_equals_reading_everything(tmp_path, monkeypatch, spare, states):
    monkeypatch.setattr("updater.git.blob_index._SPARE", spare)
    shelf, index = Shelf(), SearchIndex(tmp_path / "unused" / "index")
    asked = question("yaml", lambda path: not path.endswith(".txt"))
    for files in states:
        found = paths(index.search(shelf.tree(files), ".", asked))
        assert sorted(found) == sorted(path for path, data in files.items() if NEEDLE in data and not path.endswith(".txt"))


def test_a_new_process_keeps_what_it_knows_of_a_large_tree_that_does_not_change(tmp_path, monkeypatch):
    monkeypatch.setattr("updater.git.blob_index._SPARE", 2)
    files = {f"d/{number}": b"plain %d" % number for number in range(50)}
    shelf, index = Shelf(), SearchIndex(tmp_path / "index")
    index.search(shelf.tree(files), ".", question())
    index.save()
    read, again = shelf.reads, SearchIndex(tmp_path / "index")
    for number in range(3):
        again.search(shelf.tree({**files, "d/0": b"other %d" % number}), ".", question())
    assert shelf.reads <= read + 3 + 3  # the folder and its new file, each time
