"""A CI job commits and pushes its change without a git program, and touches nothing else of the checkout."""

import shutil
import subprocess

import pytest

from tests.fakes.git_server import IDENTITY, BareRepository, GitServer, run_git
from tests.git.conftest import ME, NOW
from updater.checkout.config import find_access, find_upstream
from updater.checkout.worktree import Checkout, CommitDetails, PushOptions
from updater.errors import EditError, GitError, PushRefused
from updater.git.access import GitAccess
from updater.git.faults import FAULTS
from updater.git.tree import CheckoutTree
from updater.model.credential import Credential

pytestmark = pytest.mark.real
WORDING = CommitDetails(message="Set app to 1.1\n\nUpdater-Subscription: app\n", author=ME, when=NOW)


def git(folder, *arguments):
    return run_git(*arguments, cwd=folder)


@pytest.fixture(scope="module")
def worked_on(first_repository, tmp_path_factory):
    """A repository with a second commit, which every test's repository here is copied from."""
    repository = first_repository.copy(tmp_path_factory.mktemp("worked-on") / "fleet.git")
    repository.commit({"run.sh": ("100755", b"x\n"), "link": ("120000", b"apps"), "old": b"old\n"})
    return repository


@pytest.fixture(scope="module", params=["full", "shallow"])
def first_clone(request, worked_on, tmp_path_factory):
    """What git itself checks out from a server."""
    depth = ["--depth", "1"] if request.param == "shallow" else []
    folder = tmp_path_factory.mktemp("first-clone") / "checkout"
    with GitServer(worked_on.path.parent) as running:
        run_git("clone", "-q", *depth, running.url("fleet.git"), folder)
    return folder


@pytest.fixture
def repository(worked_on, tmp_path):
    return worked_on.copy(tmp_path / "served" / "fleet.git")


@pytest.fixture
def clone(first_clone, server, tmp_path):
    folder = tmp_path / "checkout"
    shutil.copytree(first_clone, folder, symlinks=True)
    run_git("remote", "set-url", "origin", server.url("fleet.git"), cwd=folder)
    run_git("update-index", "-q", "--refresh", cwd=folder)  # the copies are other files than git has seen
    return folder


@pytest.fixture
def checkout(clone):
    opened = Checkout(clone / "apps", {})
    yield opened
    opened.close()


def write(folder, path, data):
    CheckoutTree(folder).replace(path, data)


async def no_pause(number):
    return None


def push(replay=lambda tree: {}, **options):
    return PushOptions(replay=replay, pause=no_pause, **options)


async def test_only_the_named_paths_are_committed_and_git_finds_all_in_order(clone, checkout):
    write(clone, "apps/a.yaml", b"image: app:1.1\n")
    write(clone, "apps/new.yaml", b"new\n")
    (clone / "README.md").write_bytes(b"unstaged\n")
    (clone / "run.sh").write_bytes(b"staged\n")
    git(clone, "add", "run.sh")
    revision = await checkout.commit(["apps/a.yaml", "apps/new.yaml"], WORDING)
    assert git(clone, "rev-parse", "HEAD").strip() == revision == checkout.head
    assert git(clone, "show", "--format=%an %s", "--name-only").split("\n")[:1] == ["updater Set app to 1.1"]
    assert git(clone, "diff-tree", "-r", "--name-only", "HEAD^", "HEAD").split() == ["apps/a.yaml", "apps/new.yaml"]
    assert git(clone, "status", "--porcelain").splitlines() == [" M README.md", "M  run.sh"]
    assert git(clone, "reflog", "-1", "main").endswith("commit: Set app to 1.1\n")
    git(clone, "fsck", "--strict")
    assert await checkout.commit(["apps/a.yaml"], WORDING) is None


async def test_a_detached_head_is_fine(clone, server):
    git(clone, "checkout", "-q", "--detach")
    checkout = Checkout(clone, {})
    assert checkout.branch is None
    write(clone, "apps/a.yaml", b"1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    assert git(clone, "rev-parse", "HEAD").strip() == revision
    with pytest.raises(GitError) as caught:
        await checkout.push(revision, WORDING, push())
    assert caught.value.code == "no-branch"
    pushed = await checkout.push(revision, WORDING, push(branch="main"))
    assert (pushed.revision, pushed.remote, pushed.branch, pushed.is_current) == (revision, "origin", "main", True)
    checkout.close()


async def test_a_push_goes_to_the_upstream_and_marks_it(clone, checkout, server):
    write(clone, "apps/a.yaml", b"1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    await checkout.push(revision, WORDING, push())
    assert BareRepository(server.root / "fleet.git").head() == revision
    assert git(clone, "status", "-sb").splitlines() == ["## main...origin/main"]


async def test_a_refused_push_is_made_again_on_the_new_head_and_the_checkout_follows(clone, checkout, server):
    repository = BareRepository(server.root / "fleet.git", clock=1_800_000_000)
    repository.log_pushes()
    write(clone, "apps/a.yaml", b"image: app:1.1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    repository.commit(
        {"apps/b.yaml": b"theirs\n", "old": None, "run.sh": ("100755", b"y\n"), "new": b"n", "l2": ("120000", b"new")}
    )
    theirs = repository.commit({"mod": ("160000", b"1" * 40)})
    seen = []

    def replay(tree):
        seen.append(tree.read("apps/b.yaml"))
        return {"apps/a.yaml": b"image: app:1.1\n"}

    pushed = await checkout.push(revision, WORDING, push(replay))
    assert seen == [b"theirs\n"]
    assert repository.head() == pushed.revision
    assert repository.git("rev-parse", f"{pushed.revision}^").strip() == theirs
    assert [kind for kind, *_ in repository.pushes] == ["fast"]
    assert pushed.is_current
    assert git(clone, "rev-parse", "HEAD").strip() == pushed.revision
    assert [line for line in git(clone, "status", "--porcelain").splitlines() if "mod" not in line] == []
    assert (clone / "apps/b.yaml").read_bytes() == b"theirs\n"
    assert not (clone / "old").exists()
    assert (clone / "l2").readlink().name == "new"
    git(clone, "fsck", "--strict")


async def test_a_checkout_with_other_changes_in_the_way_stays_where_it_is(clone, checkout, server):
    repository = BareRepository(server.root / "fleet.git", clock=1_800_000_000)
    write(clone, "apps/a.yaml", b"image: app:1.1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    (clone / "apps/b.yaml").write_bytes(b"my own work\n")
    repository.commit({"apps/b.yaml": b"theirs\n"})
    pushed = await checkout.push(revision, WORDING, push(lambda tree: {"apps/a.yaml": b"image: app:1.1\n"}))
    assert repository.head() == pushed.revision
    assert not pushed.is_current
    assert (clone / "apps/b.yaml").read_bytes() == b"my own work\n"
    assert git(clone, "rev-parse", "HEAD").strip() == revision


@pytest.mark.parametrize("path", ["new", "old", "link"])
async def test_nothing_of_a_persons_is_overwritten_when_the_checkout_follows(clone, checkout, server, path):
    repository = BareRepository(server.root / "fleet.git", clock=1_800_000_000)
    write(clone, "apps/a.yaml", b"1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    repository.commit({"new": b"theirs", "old": b"theirs", "link": ("120000", b"run.sh")})
    if path == "link":
        (clone / "link").unlink()
        (clone / "link").symlink_to("old")
    else:
        (clone / path).write_bytes(b"mine")
    pushed = await checkout.push(revision, WORDING, push(lambda tree: {"apps/a.yaml": b"1\n"}))
    assert not pushed.is_current
    assert repository.head() == pushed.revision
    if path != "link":
        assert (clone / path).read_bytes() == b"mine"


async def test_commits_that_stand_unpushed_go_as_one_fast_forward(clone, checkout, server):
    repository = BareRepository(server.root / "fleet.git")
    write(clone, "apps/a.yaml", b"1\n")
    await checkout.commit(["apps/a.yaml"], WORDING)
    write(clone, "apps/deep/b.yaml", b"2\n")
    revision = await checkout.commit(["apps/deep/b.yaml"], WORDING)
    replay = {"apps/a.yaml": b"1\n"}
    pushed = await checkout.push(revision, WORDING, push(lambda tree: replay, is_new=False))
    assert (pushed.revision, pushed.is_current, repository.head()) == (revision, True, revision)
    repository.git("fsck", "--strict")


@pytest.mark.parametrize("count", [1, 2])
async def test_one_commit_of_an_earlier_run_is_made_again_and_more_are_kept(clone, checkout, server, count):
    repository = BareRepository(server.root / "fleet.git", clock=1_800_000_000)
    for number in range(count):
        write(clone, "apps/a.yaml", b"%d\n" % number)
        revision = await checkout.commit(["apps/a.yaml"], WORDING)
    theirs = repository.commit({"apps/b.yaml": b"theirs\n"})
    again = push(lambda tree: {"apps/a.yaml": b"%d\n" % (count - 1)}, is_new=False)
    if count == 1:
        pushed = await checkout.push(revision, WORDING, again)
        assert repository.git("rev-parse", f"{pushed.revision}^").strip() == theirs
        assert checkout.head == pushed.revision == repository.head()
        return
    with pytest.raises(PushRefused) as caught:
        await checkout.push(revision, WORDING, again)
    assert caught.value.code == "diverged"
    assert (checkout.head, repository.head()) == (revision, theirs)


async def test_what_somebody_else_did_already_needs_no_commit(clone, checkout, server):
    repository = BareRepository(server.root / "fleet.git", clock=1_800_000_000)
    write(clone, "apps/a.yaml", b"image: app:1.1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    theirs = repository.commit({"apps/a.yaml": b"image: app:1.1\n"})
    pushed = await checkout.push(revision, WORDING, push(lambda tree: {"apps/a.yaml": b"image: app:1.1\n"}))
    assert pushed.revision == theirs == repository.head()
    assert git(clone, "rev-parse", "HEAD").strip() == theirs


async def test_a_branch_that_never_stands_still_is_given_up_with_nothing_lost(clone, checkout, server):
    repository = BareRepository(server.root / "fleet.git", clock=1_800_000_000)
    write(clone, "apps/a.yaml", b"1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    repository.commit({"n": b"0"})
    pauses = []

    def replay(tree):
        repository.commit({"n": b"%d" % len(pauses)})
        return {"apps/a.yaml": b"1\n"}

    async def pause(number):
        pauses.append(number)

    with pytest.raises(PushRefused):
        await checkout.push(revision, WORDING, PushOptions(replay=replay, pause=pause))
    assert pauses == list(range(1, 10))
    assert checkout.head == revision


async def test_a_declined_push_is_not_tried_again(clone, checkout, server):
    repository = BareRepository(server.root / "fleet.git")
    repository.decline_pushes()
    write(clone, "apps/a.yaml", b"1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    with pytest.raises(PushRefused) as caught:
        await checkout.push(revision, WORDING, push(lambda tree: pytest.fail("replayed")))
    assert caught.value.code == "push-declined"


async def test_a_branch_deleted_on_the_server_is_told(clone, checkout, server):
    repository = BareRepository(server.root / "fleet.git")
    write(clone, "apps/a.yaml", b"1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    repository.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(GitError) as caught:
        await checkout.push(revision, WORDING, push())
    assert caught.value.code == "branch-missing"


async def test_another_git_at_work_is_told_and_nothing_is_done(clone, checkout):
    before = checkout.head
    write(clone, "apps/a.yaml", b"1\n")
    (clone / ".git/index.lock").touch()
    with pytest.raises(GitError) as caught:
        await checkout.commit(["apps/a.yaml"], WORDING)
    assert caught.value.code == "work-tree"
    (clone / ".git/index.lock").unlink()
    git(clone, "update-index", "--split-index")
    with pytest.raises(GitError) as caught:
        await checkout.commit(["apps/a.yaml"], WORDING)
    assert "split" in caught.value.message
    git(clone, "update-index", "--no-split-index")
    for file in (clone / ".git").glob("sharedindex.*"):
        file.unlink()
    (clone / ".git/index").write_bytes(b"rubbish")
    with pytest.raises(GitError) as caught:
        await checkout.commit(["apps/a.yaml"], WORDING)
    assert caught.value.code == "work-tree"
    assert checkout.head == before


@pytest.mark.parametrize("path", ["link", "link/a.yaml", "absent", "../x", ".git/config"])
async def test_paths_that_may_not_be_committed_are_refused(checkout, path):
    with pytest.raises(EditError):
        await checkout.commit([path], WORDING)


async def test_line_ends_follow_the_repositorys_attributes(clone, checkout):
    write(clone, ".gitattributes", b"*.yaml text eol=crlf\n")
    write(clone, "apps/a.yaml", b"a: 1\r\nb: 2\r\n")
    await checkout.commit([".gitattributes", "apps/a.yaml"], WORDING)
    shown = subprocess.run(  # noqa: ASYNC221 - nothing else runs
        ["git", "cat-file", "-p", "HEAD:apps/a.yaml"], cwd=clone, capture_output=True, env=IDENTITY, check=True
    )
    assert shown.stdout == b"a: 1\nb: 2\n"
    assert git(clone, "status", "--porcelain") == ""


async def test_the_first_commit_of_a_repository(git_program, tmp_path):
    run_git("init", "-q", "-b", "main", tmp_path / "new")
    (tmp_path / "new/x").write_bytes(b"1")
    checkout = Checkout(tmp_path / "new", {})
    assert (checkout.head, checkout.branch) == (None, "main")
    revision = await checkout.commit(["x"], WORDING)
    assert git(tmp_path / "new", "rev-parse", "main").strip() == revision
    assert git(tmp_path / "new", "status", "--porcelain") == ""
    with pytest.raises(GitError) as caught:
        await checkout.push(revision, WORDING, push(branch="main"))
    assert caught.value.code == "no-branch"
    checkout.close()


async def test_a_linked_work_tree_commits_on_its_own_branch(clone):
    git(clone, "worktree", "add", "-q", "-b", "side", "../side")
    side = clone.parent / "side"
    checkout = Checkout(side, {})
    write(side, "apps/a.yaml", b"1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    assert git(side, "rev-parse", "side").strip() == revision
    assert git(side, "status", "--porcelain") == ""
    checkout.close()


def test_a_place_without_checkout_is_told(git_program, tmp_path, repository):
    for folder in (tmp_path, repository.path):
        with pytest.raises(GitError) as caught:
            Checkout(folder, {})
        assert caught.value.code == "checkout"


def test_no_hint_speaks_of_a_next_time_that_a_command_run_once_has_not():
    said = [fault.hint for fault in FAULTS.values()]
    assert [hint for hint in said if "tried again" in hint or "asked for again" in hint or "decided again" in hint] == []


def configured(clone, *settings):
    for key, value in settings:
        git(clone, "config", "--add", key, value)
    checkout = Checkout(clone, {})
    config = checkout._repo.get_config_stack()
    checkout.close()
    return config


async def test_the_header_that_ci_systems_leave_opens_the_server(clone, checkout, server):
    server.bearer = "job-token"
    write(clone, "apps/a.yaml", b"1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    with pytest.raises(GitError):
        await checkout.push(revision, WORDING, push())
    git(clone, "config", f"http.{server.url('')}.extraheader", "AUTHORIZATION: bearer wrong")
    git(clone, "config", f"http.{server.url('fleet.git')}.extraheader", "")
    git(clone, "config", "--add", f"http.{server.url('fleet.git')}.extraheader", "Authorization: Bearer job-token")
    again = Checkout(clone, {})
    await again.push(revision, WORDING, push())
    again.close()


async def test_the_environments_token_wins_over_the_header(clone, server):
    server.basic = ("me", "token")
    git(clone, "config", f"http.{server.url('')}.extraheader", "Authorization: basic wrong")
    checkout = Checkout(clone, {"UPDATER_GIT_USERNAME": "me", "UPDATER_GIT_PASSWORD": "token"})
    write(clone, "apps/a.yaml", b"1\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    await checkout.push(revision, WORDING, push())
    write(clone, "apps/a.yaml", b"2\n")
    revision = await checkout.commit(["apps/a.yaml"], WORDING)
    await checkout.push(revision, WORDING, push(access=GitAccess(credential=Credential(username="me", password="token"))))
    checkout.close()


def test_netrc_counts_where_neither_a_header_nor_the_environment_says_more(clone, tmp_path):
    (tmp_path / "netrc").write_text("machine git.example.org login me password s3cret\n")
    variables = {"NETRC": str(tmp_path / "netrc")}
    url = "https://git.example.org/team/repo.git"
    assert find_access(configured(clone), url, variables).credential == Credential(username="me", password="s3cret")
    given = find_access(configured(clone), url, {**variables, "UPDATER_GIT_PASSWORD": "token"})
    assert given.credential.password == "token"
    header = configured(clone, ("http.https://git.example.org/.extraheader", "Authorization: Bearer job"))
    assert find_access(header, url, variables).credential is None


def test_settings_of_the_longest_prefix_win(clone):
    config = configured(
        clone,
        ("http.proxy", "http://all:1"),
        ("http.sslVerify", "true"),
        ("http.https://git.example.org.sslVerify", "false"),
        ("http.https://git.example.org/team.proxy", ""),
        ("http.https://git.example.org/team.sslCAInfo", "/ca.pem"),
        ("http.https://git.example.org/te.proxy", "http://wrong:1"),
        ("http.https://other.example.org.sslCAInfo", "/wrong.pem"),
    )
    access = find_access(config, "https://git.example.org/team/repo.git", {})
    assert (access.proxy, str(access.ca), access.insecure_skip_verify, access.use_agent) == (None, "/ca.pem", True, True)
    access = find_access(config, "https://elsewhere.example.org/repo.git", {})
    assert (access.proxy, access.ca, access.insecure_skip_verify) == ("http://all:1", None, False)


def test_where_a_push_goes_follows_gits_rules(clone):
    config = configured(
        clone,
        ("remote.other.url", "short:team/repo.git"),
        ("remote.other.pushurl", "gh:team/push.git"),
        ("url.https://git.example.org/.insteadOf", "short:"),
        ("url.ssh://git@git.example.org/.pushInsteadOf", "gh:"),
        ("branch.work.remote", "other"),
        ("branch.work.merge", "refs/heads/trunk"),
        ("branch.none.merge", "refs/heads/x"),
        ("branch.none.remote", "."),
    )
    upstream = find_upstream(config, "work", None)
    assert (upstream.remote, upstream.url, upstream.branch) == ("other", "ssh://git@git.example.org/team/push.git", "trunk")
    assert find_upstream(config, "work", "elsewhere").branch == "elsewhere"
    for branch, hint in {
        "unknown": "name the branch to push to by --branch, or give it an upstream",
        "none": "add a remote, or name one for the branch",
        None: "name the branch to push to by --branch",
    }.items():
        with pytest.raises(GitError) as caught:
            find_upstream(config, branch, None)
        assert (caught.value.code, caught.value.hint) == ("no-branch", hint)
    config = configured(
        clone, ("remote.third.url", "short:a"), ("branch.third.remote", "third"), ("branch.third.merge", "refs/heads/b")
    )
    assert find_upstream(config, "third", None).url == "https://git.example.org/a"


def test_a_checkout_that_lost_an_object_says_so(clone, checkout):
    shutil.rmtree(clone / ".git/objects/pack")
    with pytest.raises(GitError) as caught:
        checkout._objects.load("1" * 40, 1)
    assert caught.value.code == "mirror-broken"
