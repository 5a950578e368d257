"""A mirror looks, fetches, searches and reads history with the fewest requests, whatever the server can do."""

import asyncio
import contextlib
import resource
import shutil
from pathlib import Path

import pytest

from tests.fakes.git_server import IDENTITY, BareRepository, GitServer, run_git
from tests.git.conftest import read_files
from updater.errors import GitError, GitUnavailable, PushRefused
from updater.git import commit_history as past
from updater.git import packs
from updater.git.access import GitAccess
from updater.git.mirror import Mirror, SearchQuery
from updater.model.credential import Credential

pytestmark = pytest.mark.real
MARKERS = SearchQuery(rule="yaml", wants=lambda path: path.endswith(".yaml"), needles=(b"$imagepolicy",))


@pytest.fixture(params=["v2", "v2-filter", "v0", "v0-filter"])
def any_server(request, repository):
    """One server for each kind of protocol and filter."""
    if request.param.endswith("filter"):
        repository.config("uploadpack.allowFilter", "true")
    with GitServer(repository.path.parent, speaks_v2=request.param.startswith("v2")) as running:
        yield running


async def ready(mirror: Mirror, branch="main", *also):
    head = await mirror.look(branch, *also)
    await mirror.fetch(branch)
    return head


async def test_the_whole_way_costs_at_most_six_requests_and_four_later(any_server, repository, mirrors, commit):
    mirror = mirrors(any_server.url("fleet.git"))
    head = await ready(mirror)
    assert head.revision == repository.head()
    assert head.default == "main"
    found = await mirror.search(head.revision, ".", MARKERS)
    assert [entry.path for entry in found] == ["apps/a.yaml", "apps/deep/c.yaml"]
    assert await read_files(mirror, head.revision, found) == {path.path: repository.show(path.path) for path in found}
    assert await mirror.history(head.revision) == ()
    landed = await mirror.land(
        base=head.revision, branch="main", expected=head.revision, commits=[commit({"apps/a.yaml": b"image: app:1.1\n"})]
    )
    assert landed.revision == repository.head()
    assert repository.show("apps/a.yaml") == b"image: app:1.1\n"
    assert any_server.count() <= 6
    assert len(mirrors.kinds) == any_server.count()

    repository.commit({"other": b"1"})
    any_server.requests.clear()
    head = await ready(mirror)
    [past] = await mirror.history(head.revision)
    assert (past.subject, past.subscriptions, past.images) == ("Update app", ("app",), ("app:1.1",))
    await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"2"})])
    assert any_server.count() <= 4
    repository.git("fsck", "--strict")


async def test_a_quiet_look_is_one_request_and_nothing_is_fetched_twice(any_server, mirrors):
    mirror = mirrors(any_server.url("fleet.git"))
    await ready(mirror)
    any_server.requests.clear()
    await ready(mirror)
    assert any_server.count() == 1


async def test_a_restart_finds_everything_on_disk(server, mirrors, repository):
    first = mirrors(server.url("fleet.git"))
    head = await ready(first)
    await first.search(head.revision, ".", MARKERS)
    await first.history(head.revision)
    await first.close()
    index = (first.folder / "updater-index").stat()
    second = mirrors(server.url("fleet.git"))
    mirrors.kinds.clear()
    head = await ready(second)
    assert len(await second.search(head.revision, ".", MARKERS)) == 2
    await second.history(head.revision)
    assert set(mirrors.kinds) == {"look"}
    await second.close()
    # what was read anew would have been written
    again = (second.folder / "updater-index").stat()
    assert (again.st_ino, again.st_mtime_ns) == (index.st_ino, index.st_mtime_ns)


async def test_only_the_asked_branches_are_listed_and_a_missing_one_is_none(mirror, repository):
    repository.commit({"x": b"1"}, branch="main-2", parent=repository.head())
    head = await mirror.look("gone", "main")
    assert head.revision is None
    assert head.heads == {"main": repository.head()}
    await mirror.fetch("gone")


async def test_without_a_name_the_default_branch_is_looked_at(git_program, mirrors, server, repository):
    repository.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    repository.commit({"x": b"1"}, branch="trunk", parent=repository.head())
    head = await mirrors(server.url("fleet.git")).look()
    assert (head.branch, head.revision) == ("trunk", repository.head("trunk"))


async def test_fetch_without_a_look_looks_itself(mirror, repository):
    await mirror.fetch("main")
    assert await mirror.tree(repository.head(), lambda tree: tree.read("README.md")) == b"fleet\n"


async def test_landing_on_an_empty_repository_creates_the_branch(any_server, mirrors, commit, tmp_path):
    empty = BareRepository.make(tmp_path / "served" / "empty.git")
    mirror = mirrors(any_server.url("empty.git"), name="empty")
    head = await ready(mirror)
    assert head.revision is None
    landed = await mirror.land(base=None, branch="main", expected=None, commits=[commit({"apps/x.yaml": b"1\n"})])
    assert empty.head() == landed.revision
    assert empty.show("apps/x.yaml") == b"1\n"
    again = await mirror.land(
        base=landed.revision, branch="main", expected=landed.revision, commits=[commit({"apps/x.yaml": b"1\n"})]
    )
    assert again.is_unchanged
    assert again.revision == landed.revision
    nothing = await mirror.land(base=None, branch="other", expected=None, commits=[])
    assert (nothing.revision, nothing.is_unchanged) == (None, True)


async def test_a_base_that_was_force_pushed_is_followed(any_server, mirrors, repository, commit):
    mirror = mirrors(any_server.url("fleet.git"))
    await ready(mirror)
    repository.commit({"only": b"this"}, parent="")
    head = await ready(mirror)
    assert await mirror.tree(head.revision, lambda tree: [entry.path for entry in tree.entries()]) == ["only"]
    assert await mirror.history(head.revision) == ()
    landed = await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"only": b"that"})])
    assert repository.head() == landed.revision


async def test_a_person_who_pushes_between_look_and_land_loses_nothing(any_server, mirrors, repository, commit):
    repository.log_pushes()
    mirror = mirrors(any_server.url("fleet.git"))
    head = await ready(mirror)
    person = repository.commit({"apps/a.yaml": b"image: app:1.0 # pinned\n"})
    change = commit({"apps/a.yaml": b"image: app:1.1\n"})
    with pytest.raises(PushRefused) as caught:
        await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[change])
    assert caught.value.code == "push-refused"
    assert repository.head() == person
    assert repository.pushes == []
    head = await ready(mirror)
    assert head.revision == person
    assert await mirror.tree(person, lambda tree: tree.read("apps/a.yaml")) == b"image: app:1.0 # pinned\n"


async def test_a_person_who_pushes_while_our_pack_travels_loses_nothing(server, mirror, repository, commit):
    repository.log_pushes()
    head = await ready(mirror)
    server.fail("race", service="POST git-receive-pack", before=lambda: repository.commit({"p": b"1"}))
    with pytest.raises(PushRefused) as caught:
        await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])
    assert caught.value.code == "push-refused"
    assert repository.show("p") == b"1"


async def test_a_branch_that_appeared_or_went_meanwhile_is_refused(mirror, repository, commit):
    head = await ready(mirror)
    repository.commit({"p": b"1"}, branch="auto", parent=head.revision)
    with pytest.raises(PushRefused):
        await mirror.land(base=head.revision, branch="auto", expected=None, commits=[commit({"x": b"1"})])
    repository.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(PushRefused):
        await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])
    assert repository.head("auto") != head.revision
    assert repository.head() is None


async def test_a_push_branch_starts_from_the_base_each_time_and_is_forced_only_over_our_own(
    any_server, mirrors, repository, commit
):
    repository.log_pushes()
    mirror = mirrors(any_server.url("fleet.git"))
    head = await ready(mirror, "main", "auto")
    await mirror.land(base=head.revision, branch="auto", expected=None, commits=[commit({"v": b"1"}), commit({"w": b"1"})])
    base = repository.commit({"p": b"1"})
    head = await ready(mirror, "main", "auto")
    landed = await mirror.land(base=base, branch="auto", expected=head.heads["auto"], commits=[commit({"v": b"2"})])
    assert repository.git("rev-parse", f"{landed.revision}^").strip() == base
    assert [kind for kind, *_ in repository.pushes] == ["new", "forced"]
    head = await ready(mirror, "main", "auto")
    same = await mirror.land(base=base, branch="auto", expected=head.heads["auto"], commits=[commit({"v": b"2"})])
    assert (same.revision, same.is_unchanged) == (landed.revision, True)
    assert len(repository.pushes) == 2


@pytest.mark.parametrize("who", ["Person <person@example.org>", "updater <updater@example.org>"])
async def test_a_push_branch_with_a_persons_commit_is_never_overwritten(any_server, mirrors, repository, commit, who):
    mirror = mirrors(any_server.url("fleet.git"))
    head = await ready(mirror, "main", "auto")
    await mirror.land(base=head.revision, branch="auto", expected=None, commits=[commit({"v": b"1"})])
    theirs = repository.commit({"v": b"theirs"}, branch="auto", committer=who, message="mine\n\nnot: ours\n")
    repository.commit({"p": b"1"})
    fresh = mirrors(any_server.url("fleet.git"), name="fresh")
    for one in (mirror, fresh):
        head = await ready(one, "main", "auto")
        with pytest.raises(PushRefused) as caught:
            await one.land(base=head.revision, branch="auto", expected=head.heads["auto"], commits=[commit({"v": b"2"})])
        assert caught.value.code == "foreign-commits"
    assert repository.head("auto") == theirs


async def test_a_push_branch_that_was_merged_moves_forward(mirrors, server, repository, commit):
    repository.log_pushes()
    mirror = mirrors(server.url("fleet.git"))
    head = await ready(mirror, "main", "auto")
    landed = await mirror.land(base=head.revision, branch="auto", expected=None, commits=[commit({"v": b"1"})])
    repository.git("update-ref", "refs/heads/main", landed.revision)
    repository.commit({"p": b"1"})
    fresh = mirrors(server.url("fleet.git"), name="fresh")
    head = await ready(fresh, "main", "auto")
    await fresh.land(base=head.revision, branch="auto", expected=head.heads["auto"], commits=[commit({"v": b"2"})])
    assert [kind for kind, *_ in repository.pushes] == ["new", "fast"]


async def test_a_push_branch_too_far_from_its_base_is_left_alone(server, mirrors, repository, commit):
    base = repository.head()
    for number in range(3):
        repository.commit({"v": b"%d" % number}, branch="auto", parent=repository.head("auto") or base)
    repository.git("symbolic-ref", "HEAD", "refs/heads/main")
    limit, past.LIMIT = past.LIMIT, 2
    try:
        mirror = mirrors(server.url("fleet.git"))
        head = await ready(mirror, "main", "auto")
        with pytest.raises(PushRefused) as caught:
            await mirror.land(base=head.revision, branch="auto", expected=head.heads["auto"], commits=[commit({"v": b"x"})])
    finally:
        past.LIMIT = limit
    assert caught.value.code == "foreign-commits"


async def test_what_a_hook_says_reaches_the_person(mirror, repository, commit):
    repository.decline_pushes("branch main is protected\x1b[31m")
    head = await ready(mirror)
    with pytest.raises(PushRefused) as caught:
        await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])
    assert caught.value.code == "push-declined"
    assert "branch main is protected" in caught.value.message
    assert "\x1b" not in caught.value.message


async def test_history_finds_our_commits_among_two_hundred_and_only_once(any_server, mirrors, repository):
    ours = "updater <UPDATER@example.org>"
    text = "Update\n\nUpdater-Subscription: k{}\nUpdater-Policy: semver\n"
    for number in range(6):
        repository.commit({f"n{number}": b"1"}, committer=ours if number % 2 else None, message=text.format(number))
    mirror = mirrors(any_server.url("fleet.git"))
    head = await ready(mirror)
    assert [past.subscriptions for past in await mirror.history(head.revision)] == [("k5",), ("k3",), ("k1",)]
    assert [past.subscriptions for past in await mirror.history(head.revision, 2)] == [("k5",)]
    mirrors.kinds.clear()
    for number in range(6, 9):
        repository.commit({f"n{number}": b"1"}, committer=ours, message=text.format(number))
    head = await ready(mirror)
    assert len(await mirror.history(head.revision)) == 6
    assert len(await mirror.history(head.revision)) == 6
    assert mirrors.kinds.count("history") == 1


async def test_history_does_not_need_the_tree(any_server, mirrors, repository):
    mirror = mirrors(any_server.url("fleet.git"))
    head = await mirror.look("main")
    assert await mirror.history(head.revision) == ()


STEPS = ("look", "fetch", "search", "read", "history", "land")


@pytest.mark.parametrize("lost_before", STEPS)
@pytest.mark.parametrize("loss", ["deleted", "truncated", "refs", "flipped", "file"])
async def test_a_mirror_lost_between_any_two_steps_never_causes_a_wrong_write(
    server, mirrors, repository, commit, tmp_path, lost_before, loss
):
    mirror = mirrors(server.url("fleet.git"))
    await ready(mirror)
    repository.commit({"apps/b.yaml": b"kind: Moved\n"})
    folder = tmp_path / "mirror"

    async def step(name):
        if name == lost_before:
            spoil(folder, loss)
        return await do[name]()

    state = {}

    async def look():
        state["head"] = (await mirror.look("main")).revision

    async def land():
        files = {"apps/a.yaml": b"image: app:1.1\n"}
        await mirror.land(base=state["head"], branch="main", expected=state["head"], commits=[commit(files)])

    async def search():
        state["found"] = await mirror.search(state["head"], ".", MARKERS)

    do = {
        "look": look,
        "fetch": lambda: mirror.fetch("main"),
        "search": search,
        "read": lambda: read_files(mirror, state["head"], state["found"]),
        "history": lambda: mirror.history(state["head"]),
        "land": land,
    }
    for name in STEPS:
        await step(name)
    assert repository.show("apps/a.yaml") == b"image: app:1.1\n"
    assert repository.show("apps/b.yaml") == b"kind: Moved\n"
    assert repository.git("ls-tree", "-r", "--name-only", "main").split() == [
        "README.md",
        "apps/a.yaml",
        "apps/b.yaml",
        "apps/deep/c.yaml",
    ]
    assert repository.git("rev-list", "--count", "main").strip() == "3"
    repository.git("fsck", "--strict")


def spoil(folder, loss):
    packs = sorted((folder / "objects" / "pack").glob("*.pack"))
    if loss == "deleted":
        shutil.rmtree(folder)
    elif loss == "refs":
        (folder / "packed-refs").write_bytes(b"\xff\xfe not refs\n")
    elif loss == "file":
        shutil.rmtree(folder)
        folder.write_text("in the way")
    else:
        for pack in packs:
            data = pack.read_bytes()
            pack.chmod(0o644)
            with pack.open("r+b") as file:  # in place: an open store reads the damage, too
                if loss == "truncated":
                    file.truncate(len(data) // 2)
                else:
                    file.seek(12)
                    file.write(bytes(byte ^ 0x55 for byte in data[12:-20]))


async def test_many_small_packs_are_joined_and_a_mostly_old_store_starts_anew(server, mirrors, repository, tmp_path):
    kept = packs._MAX_PACKS, packs._SLACK_BYTES
    packs._MAX_PACKS = 3
    try:
        mirror = mirrors(server.url("fleet.git"))
        for number in range(8):
            repository.commit({"n": b"%d" % number})
            await ready(mirror)
        assert len(list((tmp_path / "mirror" / "objects" / "pack").glob("*.pack"))) <= 5
        assert await mirror.tree(repository.head(), lambda tree: tree.read("n")) == b"7"
        packs._SLACK_BYTES = -(10**9)
        repository.commit({"n": b"last"})
        await ready(mirror)
        assert await mirror.tree(repository.head(), lambda tree: tree.read("n")) == b"last"
        assert len(list((tmp_path / "mirror" / "objects" / "pack").glob("*.pack"))) == 1
    finally:
        packs._MAX_PACKS, packs._SLACK_BYTES = kept


async def test_the_mirror_is_a_repository_that_git_reads(mirror, repository, tmp_path):
    await ready(mirror)
    assert run_git("--git-dir", tmp_path / "mirror", "rev-parse", "main").strip() == repository.head()
    assert run_git("--git-dir", tmp_path / "mirror", "show", "main:README.md") == "fleet\n"


async def test_a_folder_that_cannot_be_written_is_said_clearly(server, tmp_path):
    (tmp_path / "file").write_text("no folder")
    mirror = Mirror(server.url("fleet.git"), tmp_path / "file" / "mirror", GitAccess())
    await mirror.look("main")
    with pytest.raises(GitError) as caught:
        await mirror.fetch("main")
    assert caught.value.code == "mirror-disk"
    assert str(tmp_path / "file") in caught.value.message
    await mirror.close()


async def test_a_full_disk_is_said_clearly_and_is_no_fault_of_the_server(server, repository, mirrors):
    mirror = mirrors(server.url("fleet.git"))
    await ready(mirror)
    repository.commit({"big": bytes(range(256)) * 4})
    await mirror.look("main")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    server.fail("limit", service="POST git-upload-pack")
    spool = mirror._keeper.store.packs.spool
    with spool() as file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        try:
            with pytest.raises(GitError) as caught:
                file.write(b"x" * 9 * 2**20)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "mirror-disk"
    await mirror.fetch("main")
    assert await mirror.tree(repository.head(), lambda tree: tree.read("big")) == bytes(range(256)) * 4


async def test_a_cancelled_call_lets_go_and_the_next_waits_for_the_conversation(server, mirror, repository, commit):
    head = await ready(mirror)
    server.fail("slow", service="POST git-receive-pack", seconds=0.3)
    landing = asyncio.create_task(
        mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])
    )
    while not any("receive" in item.service and item.method == "POST" for item in server.requests):  # noqa: ASYNC110 - another thread
        await asyncio.sleep(0.01)
    landing.cancel()
    waiting = asyncio.create_task(mirror.land(base=head.revision, branch="w", expected=None, commits=[commit({"y": b"1"})]))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await landing
    head = await ready(mirror)
    assert head.revision == repository.head()
    assert repository.show("x") == b"1"
    assert repository.head("w") is None


async def test_many_callers_at_once_take_turns(server, mirrors, repository):
    mirror = mirrors(server.url("fleet.git"))
    heads = await asyncio.gather(*(ready(mirror) for _ in range(8)))
    assert {head.revision for head in heads} == {repository.head()}
    found = await asyncio.gather(*(mirror.search(heads[0].revision, ".", MARKERS) for _ in range(8)))
    assert len({tuple(entry.path for entry in entries) for entries in found}) == 1


async def test_access_is_asked_each_time_and_may_be_awaited(server, tmp_path, repository):
    server.basic = ("u", "second")
    passwords = iter(["first", "second"])

    async def access():
        return GitAccess(credential=Credential(username="u", password=next(passwords)))

    mirror = Mirror(server.url("fleet.git"), tmp_path / "m", access)
    with pytest.raises(GitError) as caught:
        await mirror.look("main")
    assert caught.value.code == "git-denied"
    assert (await mirror.look("main")).revision == repository.head()
    assert str(mirror) == server.url("fleet.git")
    await mirror.close()


@pytest.mark.parametrize("name", ["a b", "a..b", "a\nb", "-/", "/a", "a/", "a~1", "a:b", "a\0b", ".a", "a.lock"])
async def test_a_name_that_git_does_not_allow_never_reaches_the_server(server, mirror, commit, name):
    head = await ready(mirror)
    asked = server.count()
    with pytest.raises(GitError) as caught:
        await mirror.land(base=head.revision, branch=name, expected=None, commits=[commit({"x": b"1"})])
    assert caught.value.code == "branch-name"
    with pytest.raises(GitError):
        await mirror.look(name)
    assert server.count() == asked


async def test_many_blobs_at_once_are_proved_as_few_are(server, mirrors, repository, tmp_path):
    repository.commit({f"d{number % 7}/{number}.yaml": b"# $imagepolicy %d\n" % number * 40 for number in range(300)})
    repository.git("gc", "-q")
    mirror = mirrors(server.url("fleet.git"))
    head = await ready(mirror)
    found = await mirror.search(head.revision, ".", MARKERS)
    assert len(found) == 302
    data = await read_files(mirror, head.revision, found)
    assert data["d1/8.yaml"] == repository.show("d1/8.yaml")
    spoil(tmp_path / "mirror", "flipped")
    again = await read_files(mirror, head.revision, found)
    assert again == data
    with pytest.raises(GitUnavailable) as caught:
        list(mirror._keeper.store.packs.holding({"0" * 40, "1" * 40}, [b"x"]))
    assert caught.value.code == "mirror-broken"


async def test_a_history_that_the_server_does_not_give_is_told(mirror):
    await mirror.look("main")
    with pytest.raises(GitUnavailable):
        await mirror.history("1" * 40)


def merge_and_revert(repository, folder, *, twice):
    """A person merges the push branch, reverts the merge as a forge's button does, and maybe reverts that; gives the revert."""
    who = {key: value for key, value in IDENTITY.items() if key.startswith("GIT_")}
    run_git("clone", "-q", repository.path, folder, **who)
    run_git("merge", "-q", "--no-ff", "--no-edit", "origin/updates", cwd=folder, **who)
    run_git("revert", "--no-edit", "-m", "1", "HEAD", cwd=folder, **who)
    revert = run_git("rev-parse", "HEAD", cwd=folder).strip()
    if twice:
        run_git("revert", "--no-edit", "HEAD", cwd=folder, **who)
    run_git("push", "-q", "origin", "HEAD:main", cwd=folder, **who)
    return revert


@pytest.mark.parametrize("twice", [False, True])
async def test_a_reverted_merge_of_the_push_branch_takes_our_commits_back(
    any_server, mirrors, repository, commit, tmp_path, twice
):
    mirror = mirrors(any_server.url("fleet.git"))
    head = await ready(mirror)
    direct = commit({"z": b"0"}, message="Direct")
    landed = await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[direct])
    two = [commit({"x": b"1"}, message="One"), commit({"x": b"2"}, message="Two")]
    await mirror.land(base=landed.revision, branch="updates", expected=None, commits=two)
    revert = merge_and_revert(repository, tmp_path / "person", twice=twice)
    head = await ready(mirror)
    found = {past.subject: past.reverted_by for past in await mirror.history(head.revision)}
    gone = None if twice else revert
    assert found == {"One": gone, "Two": gone, "Direct": None}


async def test_a_look_at_other_branches_leaves_what_was_listed_before(server, mirrors, repository, commit):
    repository.commit({"x": b"stage"}, branch="stage", parent=repository.head())
    mirror = mirrors(server.url("fleet.git"))
    first = await mirror.look("stage", "updates-stage")
    second = await mirror.look("main", "updates-main")
    mirrors.kinds.clear()
    await mirror.fetch("stage")
    assert await mirror.tree(first.revision, lambda tree: tree.read("x")) == b"stage"
    await mirror.fetch("main", "updates-main")
    await mirror.land(base=first.revision, branch="updates-stage", expected=None, commits=[commit({"x": b"1"})])
    assert set(mirrors.kinds) == {"fetch", "push"}
    assert await mirror.tree(second.revision, lambda tree: tree.read("README.md")) == b"fleet\n"
    assert repository.show("x", "updates-stage") == b"1"


async def test_a_look_that_fails_leaves_what_others_listed(server, mirrors, repository):
    mirror = mirrors(server.url("fleet.git"))
    head = await mirror.look("main")
    server.fail("status", status=503)
    with pytest.raises(GitUnavailable):
        await mirror.look("stage")
    mirrors.kinds.clear()
    await mirror.fetch("main")
    assert await mirror.tree(head.revision, lambda tree: tree.read("README.md")) == b"fleet\n"
    await mirror.fetch("stage")
    assert mirrors.kinds[:2] == ["fetch", "look"]


async def test_closing_does_not_wait_for_a_server_that_hangs(server, mirror, commit):
    head = await ready(mirror)
    server.fail("slow", service="POST git-receive-pack", seconds=60)
    new = commit({"x": b"1"})
    landing = asyncio.create_task(mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[new]))
    while not any("receive" in item.service and item.method == "POST" for item in server.requests):  # noqa: ASYNC110 - another thread
        await asyncio.sleep(0.01)
    landing.cancel()
    async with asyncio.timeout(10):
        await mirror.close()


async def test_a_head_that_another_look_found_moved_is_looked_at_again(server, mirror, repository):
    """Two destinations share a base that moves between their looks: neither reads a tree that was never fetched."""
    head = await mirror.look("main")
    repository.commit({"other": b"1"})
    newer = await mirror.look("main")
    with pytest.raises(PushRefused) as caught:
        await mirror.fetch("main", at={"main": head.revision})
    assert caught.value.code == PushRefused.default_code
    await mirror.fetch("main", at={"main": newer.revision})
    assert await mirror.tree(newer.revision, lambda tree: tree.read("other")) == b"1"


async def test_packs_of_our_own_pushes_are_joined_and_no_file_stays_open(server, mirrors, repository, commit, tmp_path):
    mirror = mirrors(server.url("fleet.git"))
    head = (await ready(mirror)).revision
    folder, most = tmp_path / "mirror" / "objects" / "pack", 0
    for number in range(60):
        files = {"apps/a.yaml": b"image: app:1.%d\n" % number, f"apps/{number % 7}/x": b"%d" % number}
        landed = await mirror.land(base=head, branch="main", expected=head, commits=[commit(files)])
        head = landed.revision
        most = max(most, len(list(folder.glob("*.pack"))))
    async with asyncio.timeout(30):
        while [name for name in open_files() if str(folder) in name]:  # noqa: ASYNC110 - the kernel sends no event
            await asyncio.sleep(0.05)
    assert most <= packs._MAX_PACKS
    assert mirror.packs == len(list(folder.glob("*.pack")))
    assert len(list(folder.iterdir())) == 2 * mirror.packs
    assert await mirror.tree(head, lambda tree: tree.read("apps/a.yaml")) == b"image: app:1.59\n"
    again = mirrors(server.url("fleet.git"))
    await ready(again)
    assert await again.tree(head, lambda tree: [tree.read(item.path) for item in tree.entries()])
    run_git("--git-dir", tmp_path / "mirror", "fsck", "--strict")


def open_files() -> list[str]:
    names = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(str(entry.readlink()))
    return names


def test_an_object_is_copied_a_few_times_in_its_life_not_at_every_join():
    sizes, copied = [("first", 10_000)], 0
    for number in range(5_000):
        sizes.append((f"own{number}", 10))
        sizes.sort(key=lambda item: item[1])
        if len(sizes) > packs._MAX_PACKS:
            joined = packs._smallest(sizes)
            assert ("first", 10_000) not in joined or sizes[-1][1] > 10_000
            total = sum(size for _, size in joined)
            copied += total
            sizes = [item for item in sizes if item not in joined] + [(f"joined{number}", total)]
    assert len(sizes) <= packs._MAX_PACKS
    assert copied <= 10 * 5_000 * 10
