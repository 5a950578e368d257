"""Push options, second refs and what is read in place of a branch, on real servers over HTTP and SSH."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from tests.fakes.git_server import BareRepository, GitServer, run_git
from tests.fakes.ssh_server import SshServer, make_key
from tests.real.parts import require
from tests.writeback.overridden import PATH, land, unsigned, wanted
from updater.daemon.signers import Signers
from updater.editors import make_editors
from updater.errors import ConfigError, GitError, PushRefused
from updater.git.access import GitAccess
from updater.git.mirror import Mirror, Shared
from updater.git.pusher import SecondPushFailed
from updater.model.checkout_ref import CheckoutRef, RefKind, read_checkout_ref
from updater.model.publishing import Direct, PushBranch, push_options, read_push_options, read_refspec
from updater.model.subscription import CommitSpec, GitBranch
from updater.writeback.branch_writer import CommitSettings, GitWriter
from updater.writeback.message import commit_message

pytestmark = pytest.mark.real
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TOPIC = ("merge_request.create", "topic=images")


@pytest.fixture
def repository(tmp_path):
    require("git-http-backend")
    made = BareRepository.make(tmp_path / "served" / "fleet.git", {"apps/a.yaml": b"kind: Nothing\n"})
    made.config("receive.advertisePushOptions", "true")
    hook = made.path / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        "#!/bin/sh\nwhile read old new ref; do\n"
        '  echo "$ref $GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0 $GIT_PUSH_OPTION_1" >> "$GIT_DIR/told"\ndone\n'
    )
    hook.chmod(0o755)
    return made


@pytest.fixture(params=["http", "http-v0", "ssh", "local"])
def way(request, repository, tmp_path):
    """The URL of the repository and what its server is shown, over each carrier."""
    if request.param == "local":
        yield str(repository.path), GitAccess()
    elif request.param == "ssh":
        program = require("sshd")
        folder = tmp_path / "ssh"
        folder.mkdir(mode=0o700)
        key = make_key(folder / "key")
        with SshServer(folder, program, authorized=[folder / "key.pub"], accepts_protocol=False) as server:
            yield server.url(repository.path), GitAccess(private_key=key, known_hosts=server.known_hosts)
    else:
        with GitServer(repository.path.parent, speaks_v2=request.param == "http") as server:
            yield server.url("fleet.git"), GitAccess()


@pytest.fixture
async def opened(tmp_path):
    """Open a writer on a URL; closed again at the end."""
    made = []

    def open_writer(url, access=None, name="mirror"):
        mirror = Mirror(url, tmp_path / name, access or GitAccess(), Shared(ours={"updater@example.org"}))
        made.append(mirror)
        pen = CommitSettings(message=commit_message, signer=unsigned, now=lambda: NOW)
        return GitWriter(mirror=lambda _branch: mirror, editors=make_editors(), pen=pen)

    yield open_writer
    for mirror in made:
        await mirror.close()


def told(repository):
    file = repository.path / "told"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def ref(repository, name):
    return repository.git("rev-parse", name).strip()


async def test_options_go_with_each_push_and_both_refs_get_the_same_commit(way, opened, repository):
    url, access = way
    item = wanted(url, publishing=PushBranch("updates", "refs/heads/review", TOPIC))
    landed = await land(opened(url, access), item)
    (revision,) = set(landed.revisions.values())
    assert repository.head("updates") == repository.head("review") == revision
    options = ["2", "merge_request.create", "topic=images"]
    assert told(repository) == [["refs/heads/updates", *options], ["refs/heads/review", *options]]


async def test_a_direct_push_takes_its_options_and_a_second_ref_along(way, opened, repository):
    url, access = way
    writer = opened(url, access)
    item = wanted(url, publishing=Direct("refs/heads/copy", TOPIC))
    await land(writer, item)
    await land(writer, item, "1.2.4")
    assert repository.head("main") == repository.head("copy")
    assert repository.git("rev-list", "--count", "copy").strip() == "3"
    assert [line[0] for line in told(repository)] == ["refs/heads/main", "refs/heads/copy"] * 2


async def test_options_of_the_repository_go_with_each_push_before_those_of_the_push_itself(way, opened, repository):
    url, access = way
    shown = dataclasses.replace(access, push_options=("ci.skip",))
    await land(opened(url, shown), wanted(url, publishing=Direct(options=("topic=images",))))
    assert told(repository) == [["refs/heads/main", "2", "ci.skip", "topic=images"]]


async def test_a_server_without_push_options_is_named_and_nothing_is_pushed(way, opened, repository):
    repository.config("receive.advertisePushOptions", "false")
    url, access = way
    head = repository.head()
    with pytest.raises(GitError) as caught:
        await land(opened(url, access), wanted(url, publishing=Direct(options=TOPIC)))
    assert caught.value.code == "push-options-unsupported"
    assert (repository.head(), told(repository)) == (head, [])


async def test_a_second_ref_moves_forward_with_its_base_and_is_rebuilt_where_it_is_ours(opened, repository):
    """Automation pushes to a branch of its own, and by the refspec to main: main moves forward, a person's commit stays."""
    repository.log_pushes()
    url = str(repository.path)
    writer = opened(url)
    item = wanted(url, publishing=PushBranch("auto", "refs/heads/review"))
    await land(writer, item)
    repository.commit({"apps/b.yaml": b"moved\n"})
    await land(writer, item, "1.2.4")
    assert repository.head("auto") == repository.head("review")
    assert [line[:2] for line in repository.pushes] == [
        ["new", "refs/heads/auto"],
        ["new", "refs/heads/review"],
        ["forced", "refs/heads/auto"],
        ["forced", "refs/heads/review"],
    ]
    forward = wanted(url, publishing=PushBranch("other", "refs/heads/main"))
    await land(writer, forward, "1.2.5")
    assert repository.pushes[-1][:2] == ["fast", "refs/heads/main"]
    assert repository.show("apps/b.yaml") == b"moved\n"


async def test_a_second_ref_with_commits_of_others_is_refused_before_anything_is_pushed(opened, repository):
    repository.git("branch", "review", "main")
    theirs = repository.commit({"note": b"theirs\n"}, branch="review")
    url = str(repository.path)
    with pytest.raises(PushRefused) as caught:
        await land(opened(url), wanted(url, publishing=PushBranch("auto", "refs/heads/review")))
    assert caught.value.code == "branch-not-ours"
    assert (repository.head("review"), repository.head("auto")) == (theirs, None)


async def test_a_ref_outside_of_the_branches_gets_the_commit_too(way, opened, repository):
    url, access = way
    await land(opened(url, access), wanted(url, publishing=PushBranch("auto", "refs/for/main")))
    assert ref(repository, "refs/for/main") == repository.head("auto")


async def test_a_second_ref_that_another_writer_moves_meanwhile_keeps_their_commit(opened, repository):
    """Between the check and the push a person pushes to the second ref: the race is replayed, and then refused."""
    url = str(repository.path)
    writer = opened(url)
    item = wanted(url, publishing=PushBranch("auto", "refs/heads/review"))
    await land(writer, item)
    remote = writer._mirror(item.targets[0].destination)._remote
    push, theirs = remote.push, []

    def raced(branch, *args, **options):
        if branch == "review" and not theirs:
            theirs.append(repository.commit({"note": b"theirs\n"}, branch="review"))
        push(branch, *args, **options)

    remote.push = raced
    with pytest.raises(SecondPushFailed) as caught:
        await land(writer, item, "1.2.4")
    assert caught.value.code == "branch-not-ours"
    assert repository.head("review") == theirs[0]
    assert b"value: 1.2.4" in repository.show(PATH, "auto")


async def test_a_second_push_that_failed_is_repeated_at_the_next_look(opened, repository):
    """The branch has its values, so no later landing would come to it; a hook refused the second ref once."""
    url = str(repository.path)
    writer = opened(url)
    hook = repository.path / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/copy ]\n')
    hook.chmod(0o755)
    item = wanted(url, publishing=Direct("refs/heads/copy"))
    with pytest.raises(SecondPushFailed):
        await land(writer, item)
    with pytest.raises(GitError):
        await land(writer, item)
    hook.unlink()
    assert await land(writer, item) is None
    assert repository.head("copy") == repository.head("main")


async def test_an_unchanged_push_branch_still_completes_its_second_ref(opened, repository):
    url = str(repository.path)
    item = wanted(url, publishing=PushBranch("auto", "refs/heads/review"))
    await land(opened(url), item)
    repository.git("update-ref", "-d", "refs/heads/review")
    again = await land(opened(url, name="other"), item)
    assert again.note == "branch auto holds these changes already"
    assert repository.head("review") == repository.head("auto")


@pytest.fixture
def tagged(repository):
    """Tags, plain and annotated, behind the head of main."""
    for number, tag in enumerate(("v1.0.0", "v1.2.0", "v2.0.0", "v1.10", "nightly")):
        repository.commit({"apps/tagged.yaml": b"number: %d\n" % number})
        options = ["-a", "-m", tag] if number % 2 else []
        repository.git("tag", *options, tag, "main", GIT_COMMITTER_DATE="1700000000 +0000")
    repository.commit({"apps/tagged.yaml": b"number: 9\n"})
    repository.git("update-ref", "refs/pull/7/head", "v1.0.0")
    return repository


@pytest.mark.parametrize(
    ("given", "tag"),
    [
        ({"tag": "v1.2.0", "semver": ">=2", "branch": "main"}, "v1.2.0"),
        ({"tag": "v1.0.0"}, "v1.0.0"),
        ({"semver": "^1.0"}, "v1.2.0"),
        ({"semver": "*"}, "v2.0.0"),
        ({"name": "refs/pull/7/head", "tag": "v2.0.0"}, "v1.0.0"),
        ({"name": "refs/tags/v2.0.0"}, "v2.0.0"),
    ],
)
async def test_a_tag_a_range_or_a_ref_is_read_and_another_branch_is_written(way, opened, tagged, given, tag):
    url, access = way
    branch, read_at = read_checkout_ref(given)
    item = wanted(url, branch=branch, ref=read_at, publishing=PushBranch("updates"))
    writer = opened(url, access)
    landed = await land(writer, item)
    assert len(landed.revisions) == 1
    assert ref(tagged, "updates^") == ref(tagged, f"{tag}^{{commit}}")
    again = await land(opened(url, access, "other"), item)
    assert again.note == "branch updates holds these changes already"
    assert (await writer.history(item.targets[0].destination, 10))[0].subscriptions == (item.key,)


async def test_one_commit_is_read_where_the_server_gives_it(opened, tagged):
    url = str(tagged.path)
    commit = ref(tagged, "v1.0.0")
    branch, read_at = read_checkout_ref({"commit": commit, "name": "refs/heads/main"})
    await land(opened(url), wanted(url, branch=branch, ref=read_at, publishing=PushBranch("updates")))
    assert ref(tagged, "updates^") == commit


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_commit_that_the_server_does_not_give_is_named(way, opened, tagged, is_known):
    """A server of protocol 2 gives each commit that it has; one of protocol 0 those that it lists."""
    url, access = way
    commit = ref(tagged, "main~1") if is_known else "1" * 40
    tagged.git("tag", "-d", "nightly")
    item = wanted(url, branch="", ref=CheckoutRef(RefKind.COMMIT, commit), publishing=PushBranch("updates"))
    try:
        await land(opened(url, access), item)
    except GitError as error:
        told = error
    else:
        assert is_known
        assert ref(tagged, "updates^") == commit
        return
    assert (told.code, tagged.head("updates")) == ("ref-missing", None)
    assert commit in told.message


@pytest.mark.parametrize(
    ("read_at", "code"),
    [
        (CheckoutRef(RefKind.TAG, "v9"), "ref-missing"),
        (CheckoutRef(RefKind.SEMVER, ">=9"), "ref-missing"),
        (CheckoutRef(RefKind.SEMVER, "a..b"), "checkout-ref"),
        (CheckoutRef(RefKind.NAME, "refs/pull/8/head"), "ref-missing"),
    ],
)
async def test_what_is_not_there_is_named(opened, tagged, read_at, code):
    url = str(tagged.path)
    with pytest.raises(GitError) as caught:
        await land(opened(url), wanted(url, branch="", ref=read_at, publishing=PushBranch("updates")))
    assert caught.value.code == code
    assert tagged.head("updates") is None


@pytest.mark.parametrize("case", ["flux-343", "flux-344", "flux-345"])
async def test_a_push_branch_is_made_from_the_base_whether_it_exists_or_not(opened, repository, case):
    """The peer stacks on one that exists, or drops it, by how its clone was made; base changes never come in (differences.md)."""
    url = str(repository.path)
    writer, item = opened(url), wanted(url, publishing=PushBranch("updates"))
    if case != "flux-345":
        await land(writer, item)
    base = repository.commit({"apps/b.yaml": b"moved\n"})
    await land(writer, item, "1.2.4")
    assert ref(repository, "updates^") == base
    assert b"value: 1.2.4" in repository.show(PATH, "updates")


async def test_nothing_is_pushed_to_a_tag(opened, tagged):
    url = str(tagged.path)
    with pytest.raises(GitError) as caught:
        await land(opened(url), wanted(url, branch="", ref=CheckoutRef(RefKind.TAG, "v1.0.0")))
    assert caught.value.code == "push-branch-missing"


@pytest.mark.parametrize(
    ("given", "branch"),
    [({}, "master"), ({"branch": "main"}, "main"), ({"name": "refs/heads/a/b", "branch": "main"}, "a/b")],
)
def test_a_branch_is_a_branch_however_it_is_named(given, branch):
    assert read_checkout_ref(given) == (branch, None)


@pytest.mark.parametrize("given", [{"commit": "main"}, {"commit": "ABC"}, {"name": "main"}, {"name": "refs/a b"}])
def test_a_ref_that_git_does_not_have_is_refused(given):
    with pytest.raises(ConfigError) as caught:
        read_checkout_ref(given)
    assert caught.value.code == "checkout-ref"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("refs/heads/auto:refs/heads/main", "refs/heads/main"),
        ("auto:main", "refs/heads/main"),
        ("+HEAD:refs/for/main", "refs/for/main"),
    ],
)
def test_a_refspec_names_the_second_ref(text, target):
    assert read_refspec(text, "auto") == target


@pytest.mark.parametrize(
    "text", ["", "main", ":main", "auto:", "refs/heads/*:refs/heads/*", "other:main", "auto:a b", "auto:a:b"]
)
def test_a_refspec_of_something_else_is_refused(text):
    with pytest.raises(ConfigError) as caught:
        read_refspec(text, "auto")
    assert caught.value.code == "push-refspec"


def test_push_options_are_sent_as_key_and_value_in_a_fixed_order():
    assert read_push_options({"topic": "images", "merge_request.create": ""}) == TOPIC
    assert push_options(PushBranch("a", options=TOPIC)) == TOPIC
    with pytest.raises(ConfigError) as caught:
        read_push_options({"topic": "a\nb"})
    assert caught.value.code == "push-options"


def test_a_push_branch_that_is_the_branch_itself_keeps_options_and_second_ref():
    branch = GitBranch(url="u", branch="main", publishing=PushBranch("main", "refs/heads/copy", TOPIC))
    assert branch.publishing == Direct("refs/heads/copy", TOPIC)
    assert not branch.is_rebuilt


async def test_a_commit_spec_of_an_object_names_the_key_in_a_secret_that_signs(opened, repository, tmp_path):
    """Two automations on one branch: each commit is signed by the key of its own."""
    require("ssh-keygen")
    keys = {name: make_key(tmp_path / name) for name in ("one", "two")}

    async def read_secret(namespace, name):
        assert namespace == "ns"
        return {"identity": keys[name]}

    url = str(repository.path)
    writer = opened(url)
    writer._pen = dataclasses.replace(writer._pen, signer=Signers(None, read_secret))
    item = wanted(url)
    specs = [CommitSpec(signing=f"secret:ns/{name}#ssh", owner=f"ns/{name}") for name in keys]
    for spec, tag in zip(specs, ("1.2.3", "1.2.4"), strict=True):
        target = dataclasses.replace(item.targets[0], commit_spec=spec)
        await land(writer, dataclasses.replace(item, targets=(target,)), tag)
    for revision, name in (("main", "two"), ("main^", "one")):
        allowed = tmp_path / f"allowed-{name}"
        allowed.write_text(f"updater@example.org {(tmp_path / f'{name}.pub').read_text()}")
        settings = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={allowed}")
        run_git("--git-dir", repository.path, *settings, "verify-commit", revision)
