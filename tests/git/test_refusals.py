"""A refused push is a race only where the branch has moved; everything else ends at once, in the server's words."""

import pytest

from updater.errors import PushRefused

pytestmark = pytest.mark.real


async def refused(mirror, commit, branch="main", expected=None, **options):
    head = await mirror.look("main")
    await mirror.fetch("main")
    at = head.revision if branch == "main" else expected
    with pytest.raises(PushRefused) as caught:
        await mirror.land(base=head.revision, branch=branch, expected=at, commits=[commit({"x": b"1"}, **options)])
    return caught.value


def posts(server):
    return [request for request in server.requests if request.service == "git-receive-pack" and request.method == "POST"]


@pytest.mark.parametrize(("there", "wanted"), [("updates", "updates/web"), ("updates/web", "updates")])
async def test_a_branch_whose_name_stands_in_the_way_is_named(server, mirror, repository, commit, there, wanted):
    repository.git("branch", there, "main")
    error = await refused(mirror, commit, wanted)
    assert error.code == "branch-conflict"
    assert f"the branch {there} stands in the way" in error.message
    assert "delete the branch" in error.hint
    assert len(posts(server)) == 1


async def test_a_forbidden_force_push_is_no_race(server, mirrors, repository, commit):
    mirror = mirrors(server.url("fleet.git"))
    head = await mirror.look("main")
    await mirror.fetch("main")
    pushed = await mirror.land(base=head.revision, branch="auto", expected=None, commits=[commit({"x": b"0"})])
    repository.commit({"other": b"1"})
    repository.config("receive.denyNonFastForwards", "true")
    error = await refused(mirror, commit, "auto", pushed.revision)
    assert error.code == "push-declined"
    assert "non-fast-forward" in error.message
    assert "denyNonFastForwards" in error.hint
    assert repository.head("auto") == pushed.revision


async def test_a_stale_lock_is_no_race_and_is_told_in_the_servers_words(server, mirror, repository, commit):
    (repository.path / "refs" / "heads" / "main.lock").write_text("")
    mirror._remote.pause = lambda _: None
    error = await refused(mirror, commit)
    assert error.code == "push-declined"
    assert "lock" in error.message
    assert len(posts(server)) == 1


async def test_a_lock_that_is_held_by_somebody_who_moves_the_branch_is_a_race(server, mirror, repository, commit):
    lock = repository.path / "refs" / "heads" / "main.lock"
    lock.write_text("")
    waits = []

    def pause(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            lock.unlink()
            repository.commit({"p": b"1"})

    mirror._remote.pause = pause
    assert (await refused(mirror, commit)).code == "push-refused"


async def test_a_hook_that_declines_is_asked_once(server, mirror, repository, commit):
    repository.decline_pushes("freeze until Monday")
    error = await refused(mirror, commit)
    assert error.code == "push-declined"
    assert "freeze until Monday" in error.message
    assert len(posts(server)) == 1


async def test_a_server_that_words_a_refusal_like_a_race_after_a_lost_one_is_found_out(server, mirror, repository, commit):
    """Right after a lost race a push needs few requests; a second refusal at the same head is looked into."""
    mirror._remote.pause = lambda _: None
    head = await mirror.look("main")
    await mirror.fetch("main")
    repository.commit({"other": b"1"})
    with pytest.raises(PushRefused) as lost:
        await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])
    assert lost.value.code == "push-refused"
    (repository.path / "refs" / "heads" / "main.lock").write_text("")
    assert [(await refused(mirror, commit)).code for _ in range(2)] == ["push-refused", "push-declined"]
