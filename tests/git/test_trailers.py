"""Our commits are recognised by committer and trailers, and never anybody else's."""

import asyncio
import dataclasses
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.git_server import IDENTITY
from updater.git.own_commits import OwnCommits
from updater.git.trailers import (
    CommitLog,
    add_trailers,
    named_reverts,
    read_commit,
    read_past,
    read_trailers,
    undone,
    without_trailers,
)

OURS = frozenset({"u@x"})


def raw(message, *, committer="u <u@x>", when="1700000000 +0100", parents=(), author="A <a@x> 1 +0000"):
    lines = [f"tree {'1' * 40}", *(f"parent {name}" for name in parents), f"author {author}", f"committer {committer} {when}"]
    return ("\n".join(lines) + "\n\n" + message).encode()


def past(message, **options):
    return read_past(read_commit(raw(message, **options)), OURS)


@pytest.mark.parametrize("text", ["Update app", "Update app\n\nBecause.", "Update app\n\nSigned-off-by: A <a@x>"])
def test_without_trailers_a_message_is_what_people_wrote(text):
    assert without_trailers(add_trailers(text, subscriptions=["app"], images=["ghcr.io/o/app:1.1"])) == text


def test_what_is_written_is_read_back():
    text = add_trailers(
        "Update app to 1.1\n\nBecause.",
        subscriptions=["app", "web", "app"],
        policies=["semver >=1.0"],
        images=["ghcr.io/o/app:1.1@sha256:0"],
        rejected=["app sha256:1"],
    )
    found = past(text)
    assert found.subject == "Update app to 1.1"
    assert found.subscriptions == ("app", "web")
    assert found.policies == ("semver >=1.0",)
    assert found.images == ("ghcr.io/o/app:1.1@sha256:0",)
    assert found.rejected == ("app sha256:1",)
    assert found.when.isoformat() == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Subject", "Subject\n\nUpdater-Subscription: k\n"),
        ("Subject\n\nBody.\n", "Subject\n\nBody.\n\nUpdater-Subscription: k\n"),
        ("Subject\n\nSigned-off-by: me <m@x>\n", "Subject\n\nSigned-off-by: me <m@x>\nUpdater-Subscription: k\n"),
        ("Key: value", "Key: value\n\nUpdater-Subscription: k\n"),
    ],
)
def test_trailers_join_a_block_that_stands_there(message, text):
    assert add_trailers(message, subscriptions=["k"]) == text


def test_no_trailers_no_change():
    assert add_trailers("Subject\n\n") == "Subject\n"


def test_git_itself_reads_our_trailers(git_program):
    text = add_trailers("Subject\n\nBody: of it\nmore.", subscriptions=["k"], images=["a:1"])
    done = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=text.encode(), capture_output=True, env=IDENTITY, check=True
    )
    assert done.stdout.decode() == "Updater-Subscription: k\nUpdater-Image: a:1\n"


@pytest.mark.parametrize(
    ("message", "options"),
    [
        pytest.param("S\n\nUpdater-Subscription: k\n", {"committer": "Person <p@x>"}, id="a person's commit with our trailers"),
        pytest.param("S\n\nUpdater-Subscription: k\n\nSigned-off-by: p\n", {}, id="not in the last paragraph"),
        pytest.param("Updater-Subscription: k\n", {}, id="only a subject"),
        pytest.param("S\n\n  Updater-Subscription: k\n", {}, id="indented"),
        pytest.param("S\n\nUpdater-Image: a:1\n", {}, id="without subscription"),
        pytest.param("S\n\nUpdater-Subscription:\n", {}, id="an empty subscription"),
        pytest.param("S\n\nupdater-subscription: k\n", {}, id="another spelling"),
        pytest.param("S\n\nUpdater-Subscription: k\n", {"committer": "u <u@x> <p@x>"}, id="two addresses"),
        pytest.param("S\n\nUpdater-Subscription: k\n", {"committer": "u@x"}, id="no address"),
        pytest.param("", {}, id="empty"),
        pytest.param(
            "S\n\nUpdater-Subscription: k\n", {"author": "committer u <u@x> 1 +0000", "committer": "p <p@x>"}, id="in the author"
        ),
    ],
)
def test_a_hostile_message_does_not_make_a_commit_ours(message, options):
    assert past(message, **options) is None


def test_an_address_is_compared_without_case():
    assert past("S\n\nUpdater-Subscription: k\n", committer="X <U@X>") is not None


def test_a_line_break_in_a_value_makes_no_second_trailer():
    found = past(add_trailers("S", subscriptions=["k\nUpdater-Rejected: x y"]))
    assert found.rejected == ()
    assert found.subscriptions == ("k Updater-Rejected: x y",)


def test_an_impossible_time_is_no_crash():
    assert past("S\n\nUpdater-Subscription: k\n", when="99999999999999999999 +0000").when.year == 1970


@given(
    st.text(),
    st.lists(
        st.text(min_size=1).filter(lambda text: bool(text.split())),
        min_size=1,
        max_size=3,
        unique_by=lambda text: " ".join(text.split()),
    ),
)
def test_any_message_keeps_its_trailers(message, keys):
    wanted = tuple(" ".join(key.split()) for key in keys)
    body = message if message.strip() else "S"
    text = add_trailers(body, subscriptions=keys)
    assert tuple(read_trailers(text)["Updater-Subscription"])[-len(wanted) :] == wanted


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(data):
    info = read_commit(data)
    assert read_past(info, OURS) is None or info.committer == "u@x"


def chain(length, parent=None):
    made = []
    for number in range(length):
        text = raw(f"n{number}", when=f"{1_700_000_000 + number} +0000", parents=(parent,) if parent else ())
        parent = read_commit(text).revision
        made.append(text)
    return made, parent


def test_a_log_walks_newest_first_and_knows_what_is_missing(tmp_path):
    made, tip = chain(5)
    log = CommitLog(tmp_path / "log")
    assert log.walk(tip, 3) == ([], False)
    log.add(made[2:])
    found, is_whole = log.walk(tip, 10)
    assert [info.revision for info in found] == [read_commit(text).revision for text in reversed(made[2:])]
    assert not is_whole
    assert log.walk(tip, 2)[1]
    log.add(made[1:], reaches_end=True)
    assert log.walk(tip, 10)[1]
    assert len(log.walk(tip, 10)[0]) == 4


def test_merges_are_walked_on_both_sides_once(tmp_path):
    base, root = chain(1)
    left, right = raw("l", parents=(root,), when="1700000100 +0000"), raw("r", parents=(root,), when="1700000200 +0000")
    names = tuple(read_commit(text).revision for text in (left, right))
    merge = raw("m", parents=names, when="1700000300 +0000")
    log = CommitLog(tmp_path / "log")
    log.add([*base, left, right, merge])
    found, is_whole = log.walk(read_commit(merge).revision, 10)
    assert [info.revision for info in found] == [read_commit(merge).revision, names[1], names[0], root]
    assert is_whole


def test_a_log_outlives_the_process_and_a_damaged_file(tmp_path):
    made, tip = chain(4)
    CommitLog(tmp_path / "log").add(made)
    assert len(CommitLog(tmp_path / "log").walk(tip, 10)[0]) == 4
    text = (tmp_path / "log").read_bytes()
    for damaged in (text[:-5], text.replace(b"n3", b"n9"), b"rubbish", b"12 x\n", b"", text[:30] + text):
        (tmp_path / "log").write_bytes(damaged)
        log = CommitLog(tmp_path / "log")
        assert len(log.walk(tip, 10)[0]) < 4
        log.add(made)
        assert len(log.walk(tip, 10)[0]) == 4


def test_a_long_log_keeps_the_newest(tmp_path, monkeypatch):
    monkeypatch.setattr("updater.git.trailers._MAX_FILE", 500)
    monkeypatch.setattr("updater.git.trailers.KEPT", 3)
    made, tip = chain(9)
    CommitLog(tmp_path / "log").add(made)
    log = CommitLog(tmp_path / "log")
    assert len(log.walk(tip, 10)[0]) == 3
    assert (tmp_path / "log").stat().st_size < 700


def test_a_log_that_cannot_be_kept_still_answers(tmp_path):
    made, tip = chain(2)
    log = CommitLog(tmp_path / "nowhere" / "log")
    log.add(made)
    assert len(log.walk(tip, 10)[0]) == 2


def info(message="", *, when, parents=()):
    return read_commit(raw(message, when=f"{1_700_000_000 + when} +0000", parents=parents))


def test_a_revert_takes_back_the_commit_it_names_and_a_revert_of_it_nothing():
    first = info("a", when=1)
    revert = info(f"Revert\n\nThis reverts commit {first.revision}.\n", when=2, parents=(first.revision,))
    again = info(f"Reapply\n\nThis reverts commit {revert.revision}.\n", when=3, parents=(revert.revision,))
    assert undone([revert, first]) == {first.revision: revert.revision}
    assert undone([again, revert, first]) == {revert.revision: again.revision}


@pytest.mark.parametrize("form", ["git", "wrapped anew", "without a parent", "the other side kept", "an unknown parent"])
def test_a_reverted_merge_takes_back_what_the_other_parents_brought_in(form):
    root = info("root", when=1)
    main = info("main", when=2, parents=(root.revision,))
    side = [info("one", when=3, parents=(root.revision,))]
    side.append(info("two", when=4, parents=(side[0].revision,)))
    merge = info("merge", when=5, parents=(main.revision, side[1].revision))
    words = {
        "git": f", reversing\nchanges made to {main.revision}.",
        "wrapped anew": f",\nreversing changes made to {main.revision}.",
        "without a parent": ".",
        "the other side kept": f", reversing\nchanges made to {side[1].revision}.",
        "an unknown parent": f", reversing\nchanges made to {'0' * 40}.",
    }
    revert = info(f"Revert\n\nThis reverts commit {merge.revision}{words[form]}\n", when=6, parents=(merge.revision,))
    gone = [main] if form == "the other side kept" else side
    taken_back = undone([revert, merge, *reversed(side), main, root])
    assert taken_back == dict.fromkeys([merge.revision, *(item.revision for item in gone)], revert.revision)


def test_a_reverted_octopus_takes_back_every_side_and_an_unknown_merge_only_its_name():
    root = info("root", when=1)
    sides = [info(f"side {number}", when=number, parents=(root.revision,)) for number in (2, 3)]
    merge = info("merge", when=5, parents=(root.revision, *(side.revision for side in sides)))
    revert = info(f"Revert\n\nThis reverts commit {merge.revision}.\n", when=6, parents=(merge.revision,))
    assert set(undone([revert, merge, *sides, root])) == {merge.revision, *(side.revision for side in sides)}
    assert set(undone([revert])) == {merge.revision}


def test_a_log_that_grows_for_weeks_holds_what_its_walks_meet_and_little_more(tmp_path):
    log, names = CommitLog(tmp_path / "log"), []
    for number in range(700):
        made = raw(f"{number}\n\nUpdater-Subscription: k\n", parents=names[-1:], when=f"{1700000000 + number} +0000")
        log.add([made], reaches_end=not names)
        names.append(read_commit(made).revision)
        assert log.walk(names[-1], 50) == ([log.get(name) for name in reversed(names[-50:])], True)
    assert sum(log.get(name) is not None for name in names) < 50 + 2 * 200
    assert len(CommitLog(tmp_path / "log").walk(names[-1], 700)[0]) == 700


TEXTS = (
    add_trailers("Update app to 1.1", subscriptions=["app", "web"], images=["ghcr.io/o/app:1.1"], rejected=["app sha256:1"]),
    add_trailers("Update app 1.0 → 1.1\n\napp: 1.0 → 1.1\n  a.yaml:1\n\nSigned-off-by: A <a@x>", subscriptions=["app"]),
    add_trailers(f"Take back app\n\nThis reverts commit {'1' * 40}.", subscriptions=["app"], rejected=["app 1.1"]),
    f"Revert\n\nThis reverts commit {'1' * 40}, reversing\nchanges made to {'2' * 40}.\n\nUpdater-Subscription: a\n\nNone.\n",
    f"This reverts commit {'1' * 40}.\n\nThis reverts commit {'2' * 40}.\n",
    "  Update app  \r\n\r\nUpdater-Subscription: app\r\nUpdater-Place: app 1234\r\n",
    "Updater-Subscription: only a subject",
)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_what_is_kept_of_a_message_says_what_the_whole_says(number):
    whole = read_commit(raw(TEXTS[number]))
    kept = dataclasses.replace(whole, message=TEXTS[number])
    assert read_past(whole, OURS) == read_past(kept, OURS)
    assert set(named_reverts(whole)) == set(named_reverts(kept))
    assert read_past(dataclasses.replace(whole, message=read_commit(raw(whole.message or "S")).message), OURS) == read_past(
        whole, OURS
    )


@given(st.text(), st.lists(st.text(min_size=1), max_size=3), st.booleans())
def test_any_message_is_read_alike_from_what_is_kept_of_it(message, keys, is_revert):
    text = add_trailers(message + (f"\n\nThis reverts commit {'1' * 40}.\n" if is_revert else ""), subscriptions=keys)
    text = text.encode("utf-8", "replace").decode()
    whole = read_commit(raw(text))
    assert read_past(whole, OURS) == read_past(dataclasses.replace(whole, message=text), OURS)
    assert set(named_reverts(whole)) == set(named_reverts(dataclasses.replace(whole, message=text)))


def test_the_table_that_people_read_is_not_kept():
    table = "".join(f"ghcr.io/o/app{number}: 1.0 → 1.1 (semver 1.x)\n  deploy/app{number}.yaml:1\n" for number in range(1000))
    info = read_commit(raw(add_trailers(f"Update 1000 images\n\n{table}", subscriptions=["app"])))
    assert info.text_bytes < 500


async def test_a_message_of_very_many_trailers_is_read_in_linear_time():
    """A hang is told by the bound: what is copied for each line would be a hundred gigabytes."""
    text = "S\n\n" + "Updater-Subscription: app\n" * 300_000
    async with asyncio.timeout(120):
        assert len((await asyncio.to_thread(read_trailers, text))["Updater-Subscription"]) == 300_000


def test_commits_that_say_much_are_remembered_up_to_a_bound_and_the_newest_first(tmp_path):
    log, names = CommitLog(tmp_path / "log"), []
    lines = "".join(f"Updater-Subscription: {number}→\n" for number in range(10_000))
    for number in range(40):
        made = raw(f"S {number}\n\n{lines}", parents=names[-1:], when=f"{1700000000 + number} +0000")
        log.add([made], reaches_end=not names)
        names.append(read_commit(made).revision)
    found, is_whole = log.walk(names[-1], 200)
    assert is_whole
    assert len(found) == 40
    assert sum(info.text_bytes for info in found) <= 8 * 2**20
    told = [bool(info.message) for info in found]
    assert told[:3] == [True, True, True]
    assert told == sorted(told, reverse=True)
    assert (tmp_path / "log").stat().st_size <= 12 * 2**20
    assert CommitLog(tmp_path / "log").walk(names[-1], 3)[1]


def test_a_file_of_commits_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "log").open("wb") as file:
        file.truncate(2**40)
    made, tip = chain(3)
    log = CommitLog(tmp_path / "log")
    assert log.walk(tip, 3) == ([], False)
    log.add(made)
    assert len(CommitLog(tmp_path / "log").walk(tip, 3)[0]) == 3


def test_what_many_commits_say_alike_is_held_once():
    own = OwnCommits({"u@x"})
    one, two = (
        own.read(info(add_trailers(f"S {when}", subscriptions=["app"], policies=["semver 1.x"], places=["app 12"]), when=when))
        for when in (1, 2)
    )
    assert one.subscriptions is two.subscriptions
    assert one.policies is two.policies
    assert one.places is two.places
