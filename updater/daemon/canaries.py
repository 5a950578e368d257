"""What controllers of canaries are answered: what one generation knows of the subscriptions that they deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.delivery.hooks import CanaryFacts, CanaryHook, HookAnswer, answer_of
from updater.delivery.judging import images_asked
from updater.model.decision import in_force
from updater.model.moments import rfc3339
from updater.model.release import ReleaseVerdict, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.delivery.following import ReleaseFollower
    from updater.delivery.memory import ReleaseMemory
    from updater.model.report import DestinationLanded, InventoryChanged, ReleaseJudged
    from updater.model.selection import Rejection
    from updater.model.subscription import Destination, Subscription
    from updater.web.webhooks.flagger import CanaryCall


class CanaryDesk:
    """Answers over what *follower* and *memory* know, and what the last landings rejected. *wall* gives Unix time."""

    def __init__(self, follower: ReleaseFollower, memory: ReleaseMemory, wall: Callable[[], float]) -> None:
        self._follower = follower
        self._memory = memory
        self._wall = wall
        self._rejected: dict[str, dict[Destination, Mapping[str, Rejection]]] = {}
        self._verdicts: dict[str, ReleaseVerdict] = {}

    def landed(self, report: DestinationLanded) -> None:
        """Note what a landing did not choose because people, or a bad release, speak against it."""
        for key in report.written:
            self._rejected.setdefault(key, {})[report.destination] = report.rejected.get(key, {})

    def asked(self, report: InventoryChanged) -> None:
        """Forget what is not asked for any more, and where it is not written any more, once every source was heard."""
        if any(source.subscriptions is None for source in report.sources):
            return
        places = {item.key: {target.destination for target in item.targets} for item in report.subscriptions}
        rejected = {key: self._rejected[key] for key in self._rejected.keys() & places.keys()}
        self._rejected = {
            key: {place: tags for place, tags in known.items() if place in places[key]} for key, known in rejected.items()
        }
        self._verdicts = {key: verdict for key, verdict in self._verdicts.items() if key in places}

    def judged(self, report: ReleaseJudged) -> None:
        """Note the last verdict of a subscription."""
        self._verdicts[report.release.subscription] = report.verdict

    def answer(self, hook: CanaryHook, call: CanaryCall, log: Any) -> HookAnswer | None:
        """Return what a hook is answered, None where no subscription follows the Canary."""
        place = Workload("Canary", call.namespace, call.name)
        there = [item for item in self._follower.subscriptions if _context_of(item) == call.context]
        concerned = [item for item in there if place in self._follower.found(item.key).workloads]
        facts = [self._facts(item, images_asked(place, self._follower.index.known_for(item.delivery))) for item in concerned]
        if not facts:
            return None
        if hook is CanaryHook.EVENT:
            (log.warning if call.is_warning else log.debug)("canary", workload=str(place), phase=call.phase, detail=call.words)
            self._follower.changed()
            return HookAnswer(is_yes=True, reason="noted")
        answer = answer_of(hook, facts)
        if answer.is_yes is (hook is CanaryHook.ROLLBACK):  # the canary waits, or goes back
            log.info("canary", workload=str(place), hook=str(hook), phase=call.phase, detail=answer.reason)
        return answer

    def release(self, key: str) -> dict[str, Any] | None:
        """Return what is known of the release of a subscription, None where its releases are not followed."""
        item = next((item for item in self._follower.subscriptions if item.key == key), None)
        if item is None:
            return None
        places = self._follower.found(key).workloads
        images = tuple(text for place in places for text in images_asked(place, self._follower.index.known_for(item.delivery)))
        facts = self._facts(item, images)
        unwanted, going = answer_of(CanaryHook.ROLLBACK, [facts]), answer_of(CanaryHook.CONFIRM_PROMOTION, [facts])
        release, verdict = facts.release, self._verdicts.get(key)
        return {
            "key": key,
            "workloads": [str(place) for place in places],
            "image": str(facts.asked) if facts.asked else None,
            "revision": release.revision if release else None,
            "began": rfc3339(release.began.timestamp()) if release else None,
            "verdict": str(verdict) if verdict else None,
            "wanted": not unwanted.is_yes,
            "held": not (unwanted.is_yes or going.is_yes),
            "reason": going.reason,
        }

    def _facts(self, item: Subscription, images: tuple[str, ...]) -> CanaryFacts:
        return CanaryFacts(
            key=item.key,
            image=item.image,
            images=images,
            release=self._follower.releases.get(item.key),
            decisions=in_force(item.decisions, self._wall()),
            rejected={tag: found for tags in self._rejected.get(item.key, {}).values() for tag, found in tags.items()},
            order=self._memory.orders.get(item.key),
        )


def _context_of(item: Subscription) -> str:
    cluster = item.delivery.cluster if item.delivery else None
    return cluster.context if cluster else ""
