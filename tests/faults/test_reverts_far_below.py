"""What people took back stays taken back, however many commits of others lie above it, and the work for that is bounded."""

from __future__ import annotations

import contextlib
import shutil
import subprocess

import pytest

from tests.fakes.git_server import IDENTITY
from tests.flows.fleet import Status, fleet
from tests.git.conftest import authority, commit, first_repository, git_program, mirrors, repository, server  # noqa: F401
from tests.git.test_mirror import merge_and_revert, ready
from updater.git import commit_history as past
from updater.git import remote

pytestmark = pytest.mark.real
OURS = "updater <updater@example.org>"


def fill(repository, count, branch="main", every=None):  # noqa: F811 - the fixture's name
    """Put *count* commits of others on a branch, by one `git fast-import`; *every* makes messages by number."""
    head = repository.head(branch)
    lines = []
    for number in range(count):
        message = (every(number) if every else f"work {number}").encode()
        lines += [b"commit refs/heads/%s" % branch.encode(), b"committer P <p@example.org> %d +0000" % (1_800_000_000 + number)]
        lines += [b"data %d" % len(message), message]
        lines += [b"from %s" % head.encode()] if not number else []
        lines += [b"M 100644 inline notes.txt", b"data %d" % len(b"%d" % number), b"%d" % number]
    subprocess.run(
        ["git", "fast-import", "--quiet"], input=b"\n".join(lines) + b"\n", cwd=repository.path, env=IDENTITY, check=True
    )
    return repository.head(branch)


def write_ours(repository, tag="1.4.0"):  # noqa: F811
    message = f"Update app\n\nUpdater-Subscription: app\nUpdater-Image: ghcr.io/o/app:{tag}\n"
    return repository.commit({"app.txt": tag.encode()}, message=message, committer=OURS)


def revert(repository, revision):  # noqa: F811
    return repository.commit({"app.txt": b"before"}, message=f'Revert "Update"\n\nThis reverts commit {revision}.\n')


def taken_back(found):
    return {item.revision: item.reverted_by for item in found if item.reverted_by}


@pytest.fixture(params=["filter", "no filter"])
def any_repository(request, repository):  # noqa: F811
    if request.param == "filter":
        repository.config("uploadpack.allowFilter", "true")
    return repository


async def test_a_revert_below_ten_thousand_commits_is_found_with_an_empty_cache_by_one_request(any_repository, server, mirrors):  # noqa: F811
    ours = write_ours(any_repository)
    by = revert(any_repository, ours)
    fill(any_repository, 10_000)
    mirror = mirrors(server.url("fleet.git"))
    head = await ready(mirror)
    assert taken_back(await mirror.recall("main", head.revision)) == {ours: by}
    assert mirrors.kinds.count("history") == 1


async def test_after_that_only_what_is_new_is_read_also_by_the_next_process(repository, server, mirrors, monkeypatch):  # noqa: F811
    repository.config("uploadpack.allowFilter", "true")
    ours = write_ours(repository)
    by = revert(repository, ours)
    fill(repository, 3000)
    mirror = mirrors(server.url("fleet.git"))
    await mirror.recall("main", (await ready(mirror)).revision)
    read = []
    history = remote.Remote.history

    @contextlib.contextmanager
    def counted(*args, **more):
        with history(*args, **more) as commits:
            read.append(commits)
            yield commits

    monkeypatch.setattr(remote.Remote, "history", counted)
    for process in (mirror, mirrors(server.url("fleet.git"))):
        head = fill(repository, 201)
        assert (await ready(process)).revision == head
        for _ in range(2):
            assert taken_back(await process.recall("main", head)) == {ours: by}
    assert [len(commits) for commits in read] == [201, 201]


async def test_a_release_that_was_let_go_of_is_found_again_when_its_revert_comes_late(repository, server, mirrors):  # noqa: F811
    ours = write_ours(repository)
    fill(repository, 3000)
    mirror = mirrors(server.url("fleet.git"))
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {}
    by = revert(repository, ours)
    fill(repository, 300)
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}
    lifted = revert(repository, by)
    fill(repository, 300)
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {}
    again = revert(repository, lifted)
    fill(repository, 300)
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}
    assert again


async def test_a_release_whose_words_were_let_go_of_is_taken_back_by_its_revert(repository, server, mirrors, monkeypatch):  # noqa: F811
    monkeypatch.setattr("updater.git.trailers._MOST_TEXT", 4000)
    ours = write_ours(repository)
    fill(repository, 50, every=lambda number: f"work {number}\n\nUpdater-Subscription: {'x' * 200}")
    mirror = mirrors(server.url("fleet.git"))
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {}
    by = revert(repository, ours)
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}
    fill(repository, 50, every=lambda number: f"more {number}\n\nUpdater-Subscription: {'x' * 200}")
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}


@pytest.mark.parametrize("is_known_before", [False, True])
async def test_a_reverted_merge_far_below_takes_back_what_it_brought_in(
    repository,  # noqa: F811
    server,  # noqa: F811
    mirrors,  # noqa: F811
    commit,  # noqa: F811
    tmp_path,
    is_known_before,
):
    mirror = mirrors(server.url("fleet.git"))
    head = await ready(mirror)
    await mirror.land(base=head.revision, branch="updates", expected=None, commits=[commit({"x": b"1"}, message="One")])
    if is_known_before:
        await mirror.recall("main", head.revision)
    by = merge_and_revert(repository, tmp_path / "person", twice=False)
    fill(repository, 1500)
    other = mirror if is_known_before else mirrors(server.url("fleet.git"), name="other")
    for _ in range(2):
        head = await ready(other)
        found = await other.recall("main", head.revision)
        assert {item.subject: item.reverted_by for item in found} == {"One": by}
        fill(repository, 1500)


async def test_a_history_that_was_rewritten_is_read_again_and_forgets_what_is_gone(repository, server, mirrors):  # noqa: F811
    first = repository.head()
    ours = write_ours(repository)
    revert(repository, ours)
    fill(repository, 300)
    mirror = mirrors(server.url("fleet.git"))
    assert ours in taken_back(await mirror.recall("main", (await ready(mirror)).revision))
    repository.git("update-ref", "refs/heads/main", first)
    assert await mirror.recall("main", (await ready(mirror)).revision) == ()
    fill(repository, 300)
    assert await mirror.recall("main", (await ready(mirror)).revision) == ()


@pytest.mark.parametrize("damage", ["gone", "cut", "rubbish", "another sum"])
async def test_what_was_remembered_may_be_lost_or_damaged(repository, server, mirrors, damage):  # noqa: F811
    ours = write_ours(repository)
    by = revert(repository, ours)
    fill(repository, 300)
    mirror = mirrors(server.url("fleet.git"))
    head = await ready(mirror)
    await mirror.recall("main", head.revision)
    file = mirror.folder / "updater-reverts"
    text = file.read_bytes()
    if damage == "gone":
        shutil.rmtree(mirror.folder)
    else:
        file.write_bytes({"cut": text[:-9], "rubbish": b"\xff\n{}", "another sum": text.replace(b"main", b"maim")}[damage])
    for other in (mirror, mirrors(server.url("fleet.git"))):
        assert taken_back(await other.recall("main", head.revision)) == {ours: by}


async def test_people_who_revert_much_cost_a_few_requests(repository, server, mirrors):  # noqa: F811
    """Reverts of other people's commits are told from ours: what was let go of is read again once, not at every look."""
    repository.config("uploadpack.allowFilter", "true")
    fill(repository, 1200, every=lambda number: f"Revert\n\nThis reverts commit {number:040x}.\n")
    mirror = mirrors(server.url("fleet.git"))
    await mirror.recall("main", (await ready(mirror)).revision)
    mirrors.kinds.clear()
    repository.commit({"x": b"1"}, message=f"Revert\n\nThis reverts commit {'a' * 40}.\n")
    head = await ready(mirror)
    for _ in range(3):
        await mirror.recall("main", head.revision)
    assert mirrors.kinds.count("history") <= 2


async def test_a_history_that_is_too_large_without_a_filter_is_read_as_far_as_before(repository, server, mirrors):  # noqa: F811
    ours = write_ours(repository)
    by = revert(repository, ours)
    fill(repository, 150)
    mirror = mirrors(server.url("fleet.git"), history=2000)
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}


async def test_what_was_decided_is_kept_where_the_whole_history_can_no_longer_be_read(repository, server, mirrors):  # noqa: F811
    repository.config("uploadpack.allowFilter", "true")
    old = repository.head()
    ours = write_ours(repository)
    by = revert(repository, ours)
    mirror = mirrors(server.url("fleet.git"), objects=700)
    for _ in range(3):
        fill(repository, 400)
        assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}
    revert(repository, old)  # of nobody's commit, which was let go of: it is looked for in all that can be read
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}


async def test_what_was_decided_is_kept_where_what_is_new_is_more_than_the_limits_let_be_read(repository, server, mirrors):  # noqa: F811
    ours = write_ours(repository)
    by = revert(repository, ours)
    mirror = mirrors(server.url("fleet.git"), objects=700)
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}
    fill(repository, 1200)
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}


async def test_a_history_above_the_limits_of_packs_is_read_as_far_as_before(repository, server, mirrors):  # noqa: F811
    """Limits keep a server from costing too much; they do not take a repository with a long history out of service."""
    fill(repository, 1200)
    ours = write_ours(repository)
    by = revert(repository, ours)
    mirror = mirrors(server.url("fleet.git"), objects=700)
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}


async def test_a_history_without_end_is_cut(repository, server, mirrors, monkeypatch):  # noqa: F811
    monkeypatch.setattr(past, "MOST", 500)
    ours = write_ours(repository)
    by = revert(repository, ours)
    fill(repository, 400)
    mirror = mirrors(server.url("fleet.git"))
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}
    fill(repository, 400)
    assert taken_back(await mirror.recall("main", (await ready(mirror)).revision)) == {ours: by}


async def test_a_reverted_release_is_not_written_again_after_two_hundred_commits_of_others(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        old = made.file("apps/app.yaml").encode()
        made.registry.push("o/app", "1.4.0")
        assert (await made.once())["app"].status is Status.UPDATED
        ours = made.repository.head()
        made.repository.commit({"apps/app.yaml": old}, message=f'Revert "Update app"\n\nThis reverts commit {ours}.\n')
        async with made.opened() as generation:
            for count in (0, 201, 201):
                if count:
                    fill(made.repository, count)
                (landing,) = await generation.once(generation.subscriptions, is_dry=False)
                assert landing.outcomes[0].status is not Status.UPDATED
                assert "1.0.0" in made.file("apps/app.yaml")
        made.forget()
        assert (await made.once())["app"].status is not Status.UPDATED
        made.registry.push("o/app", "1.4.1")
        assert (await made.once())["app"].status is Status.UPDATED
        assert "1.4.1" in made.file("apps/app.yaml")


async def test_a_revert_of_ours_rejects_its_image_however_far_below_and_for_the_next_process_too(any_repository, server, mirrors):  # noqa: F811
    """The next commit of ours writes the same file: by the newest writes alone the rejection would be let go of."""
    message = "Revert app\n\nUpdater-Subscription: app\nUpdater-Rejected: app sha256:{}\nUpdater-Change: app 1.1.0 1.0.0\n"
    digest = "ab" * 32
    by = any_repository.commit({"app.txt": b"1.0.0"}, message=message.format(digest), committer=OURS)
    write_ours(any_repository, "1.2.0")
    fill(any_repository, 1000)
    mirror = mirrors(server.url("fleet.git"))
    head = await ready(mirror)
    assert rejections(await mirror.recall("main", head.revision)) == {by: (f"app sha256:{digest}",)}
    fill(any_repository, 300)
    after = mirrors(server.url("fleet.git"))
    assert rejections(await after.recall("main", (await ready(after)).revision)) == {by: (f"app sha256:{digest}",)}


def rejections(found):
    return {item.revision: item.rejected for item in found if item.rejected}
