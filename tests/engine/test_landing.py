"""What `land` promises: refused pushes are decided again on the new head, and every target ends once."""

from __future__ import annotations

from tests.engine.making import BRANCH, chosen, reading, subscription, view
from updater.engine.landing import ATTEMPTS, LandingContext, land
from updater.errors import GitUnavailable, PushRefused, RegistryDenied
from updater.model.outcome import Status
from updater.model.update import Change, WriteResult


class Branch:
    """A branch in memory: heads are numbers, the written tag is what stands there."""

    def __init__(self, tag: str, refusals: int = 0, moves_to: str | None = None):
        self.tag, self.refusals, self.moves_to = tag, refusals, moves_to
        self.commits = []
        self.looks = 0

    async def look(self, destination, subscriptions):
        self.looks += 1
        return view(reading(f"ghcr.io/o/app:{self.tag}"), head=f"{self.looks:040x}")

    async def write(self, seen, commits, *, is_dry):
        if self.refusals:
            self.refusals -= 1
            self.tag = self.moves_to or self.tag
            raise PushRefused("the branch moved", hint="")
        self.commits += commits
        change = Change(path="a.yaml", line=1, where="image", old="", new="")
        updates = [update for commit in commits for update in commit.updates]
        return WriteResult(
            changes=dict.fromkeys(updates, (change,)), refused={}, revisions=dict.fromkeys(updates, "c" * 40), is_dry=is_dry
        )


def parts(branch, choose=None, pauses=None):
    async def newest(subscription, written, *, needs_digest, rejected):
        return chosen("2.0.0", status="unchanged" if written.tag == "2.0.0" else "updated")

    async def pause(attempt):
        (pauses if pauses is not None else []).append(attempt)

    async def identify(subscription, tag):
        return None

    return LandingContext(writer=branch, choose=choose or newest, identify=identify, pause=pause)


async def test_an_update_lands_in_one_commit():
    branch = Branch("1.0.0")
    landing = await land(BRANCH, (subscription(),), parts(branch))
    assert [outcome.status for outcome in landing.outcomes] == [Status.UPDATED]
    assert len(branch.commits) == 1


async def test_a_refused_push_is_looked_at_and_decided_again():
    branch, pauses = Branch("1.0.0", refusals=3), []
    landing = await land(BRANCH, (subscription(),), parts(branch, pauses=pauses))
    assert (landing.replays, branch.looks, pauses) == (3, 4, [1, 2, 3])
    assert landing.outcomes[0].status is Status.UPDATED


async def test_what_a_person_pushed_meanwhile_is_judged_anew_and_not_overwritten():
    branch = Branch("1.0.0", refusals=1, moves_to="2.0.0")
    landing = await land(BRANCH, (subscription(),), parts(branch))
    assert (landing.outcomes[0].status, branch.commits) == (Status.UNCHANGED, [])


async def test_a_push_refused_for_ever_ends_failed_and_loses_nothing():
    branch = Branch("1.0.0", refusals=ATTEMPTS)
    landing = await land(BRANCH, (subscription(),), parts(branch))
    assert (landing.outcomes[0].status, landing.outcomes[0].code) == (Status.FAILED, "push-refused")
    again = await land(BRANCH, (subscription(),), parts(branch))
    assert again.outcomes[0].status is Status.UPDATED


async def test_an_unreachable_git_server_fails_its_targets_with_the_code():
    class Down(Branch):
        async def look(self, destination, subscriptions):
            raise GitUnavailable("no route", hint="")

    landing = await land(BRANCH, (subscription(),), parts(Down("1")))
    assert [(end.status, end.code) for end in landing.outcomes] == [(Status.FAILED, "git-unavailable")]


async def test_a_registry_that_denies_one_image_leaves_the_others():
    async def choose(item, written, *, needs_digest, rejected):
        if item.key == "denied":
            raise RegistryDenied("401", hint="")
        return chosen("2.0.0")

    class Two(Branch):
        async def look(self, destination, subscriptions):
            seen = await super().look(destination, subscriptions)
            object.__setattr__(
                seen, "readings", {("app", 0): (reading(),), ("denied", 0): (reading("ghcr.io/o/d:1.0.0", "d.yaml"),)}
            )
            return seen

    branch = Two("1.0.0")
    landing = await land(BRANCH, (subscription(), subscription("denied", "ghcr.io/o/d")), parts(branch, choose))
    assert {end.key: end.status for end in landing.outcomes} == {"app": Status.UPDATED, "denied": Status.FAILED}


async def test_each_voice_speaks_in_a_commit_of_its_own():
    class Two(Branch):
        async def look(self, destination, subscriptions):
            seen = await super().look(destination, subscriptions)
            readings = {("a", 0): (reading(path="a.yaml"),), ("b", 0): (reading(path="b.yaml"),)}
            object.__setattr__(seen, "readings", readings)
            return seen

    branch = Two("1.0.0")
    await land(BRANCH, (subscription("a", voice="anna"), subscription("b", voice="ben")), parts(branch))
    assert [commit.voice.name for commit in branch.commits] == ["anna", "ben"]


async def test_a_dry_run_is_told_to_the_writer_and_ends_held():
    branch = Branch("1.0.0")
    landing = await land(BRANCH, (subscription(),), parts(branch), is_dry=True)
    assert (landing.outcomes[0].status, landing.outcomes[0].code) == (Status.HELD, "dry-run")
