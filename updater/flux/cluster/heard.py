"""What was heard of Flux's image objects: the last scan, selection and landing of each that there is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from updater.documents.members import mapping_in
from updater.flux.cluster.automation_landing import AutomationLanding, landing_for, own_outcomes, refused_landing
from updater.flux.cluster.automation_status import AutomationFacts
from updater.flux.cluster.feedback_index import FluxIndex, build_index
from updater.flux.cluster.policy_status import PolicyFacts, PolicyRefs, Reflection, failure_of, is_undecided, refs_after, refs_in
from updater.flux.cluster.repository_status import RepositoryFacts, RepositoryScan, summarize
from updater.flux.kinds import IMAGE_POLICY, IMAGE_REPOSITORY, IMAGE_UPDATE_AUTOMATION
from updater.flux.request.requests import FluxTranslation
from updater.kube.kinds import Ref
from updater.model.problem import Problem
from updater.model.subscription import GitBranch
from updater.model.text import without_waits

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from datetime import datetime

    from updater.controller.objects import KeptObject
    from updater.flux.cluster.automation_landing import AutomationCommit
    from updater.flux.cluster.policy_status import SelectedRef
    from updater.flux.request.requests import AutomationRequest, ImageRepositoryRequest
    from updater.kube.kinds import Key
    from updater.model.image import ImageRef
    from updater.model.outcome import Outcome
    from updater.model.report import DestinationLanded, ImageScanned, SelectionReflected, TargetsRefused

Facts = RepositoryFacts | PolicyFacts | AutomationFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxState:
    """What is known at one moment: the objects that have a status, and what they come to."""

    repositories: Mapping[Key, KeptObject] = field(default_factory=dict)
    policies: Mapping[Key, KeptObject] = field(default_factory=dict)
    automations: Mapping[Key, KeptObject] = field(default_factory=dict)
    translation: FluxTranslation = field(default_factory=FluxTranslation)

    def kept(self) -> dict[Ref, KeptObject]:
        """Return every object by its reference."""
        found = (
            (IMAGE_REPOSITORY, self.repositories),
            (IMAGE_POLICY, self.policies),
            (IMAGE_UPDATE_AUTOMATION, self.automations),
        )
        return {Ref(kind, *key): each for kind, objects in found for key, each in objects.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What is news: ImageRepositories that are scanned and that nothing is known of, and objects that ask for something else."""

    unscanned: list[Key]
    otherwise: list[Ref]


class FluxMemory:
    """Remembers what was heard last, by object; it is forgotten with its object, and where that asks for something else."""

    def __init__(self) -> None:
        self._translation = FluxTranslation()
        self.index = FluxIndex()
        self._scans: dict[Key, RepositoryScan] = {}
        self._reflections: dict[Key, Reflection] = {}
        self._refs: dict[Key, PolicyRefs] = {}
        self._read: dict[Key, tuple[KeptObject, PolicyRefs]] = {}
        self._images: dict[Key, tuple[KeptObject | PolicyRefs, ImageRef | None]] = {}
        self._owed: dict[Key, str] = {}
        self._landings: dict[Key, AutomationLanding] = {}
        self._pushes: dict[Key, AutomationCommit] = {}
        self._observed: dict[Key, Mapping[str, SelectedRef]] = {}
        self._refused: dict[Key, AutomationLanding] = {}
        self._unlanded: frozenset[Key] = frozenset()
        self._since: dict[Ref, datetime] = {}

    def know(self, state: FluxState, at: datetime) -> Learned:
        """Take over what there is *at* this moment.

        An ImageRepository is returned as unscanned once: another object may have had the image scanned a moment ago.
        """
        before, now = self._translation, state.translation
        unscanned: list[Key] = []
        otherwise: list[Ref] = []
        if before is not now:
            fixed, self._translation, self.index = self.index.fixed, now, build_index(now)
            self._forget(before, now, at)
            unscanned = _new_scans(before, now, self._scans)
            otherwise = _otherwise(before, now, fixed ^ self.index.fixed)
        read, self._read = self._read, {}
        for key, kept in state.policies.items():
            if key in self._reflections and key not in self._owed:
                continue
            known = read.get(key)  # thousands of statuses are not read again at each look
            self._read[key] = known = known if known is not None and known[0] is kept else (kept, refs_in(kept.status))
            said = known[1]
            if not self._owes(key, kept) or self._refs.get(key) == said:
                self._owed.pop(key, None)
                if key not in self._reflections:  # another controller may still select
                    self._refs[key] = said
        for key in self._refs.keys() - state.policies.keys():
            del self._refs[key]
            self._owed.pop(key, None)
        return Learned(unscanned=unscanned, otherwise=otherwise)

    def _owes(self, key: Key, kept: KeptObject) -> bool:
        """Return whether an ImagePolicy selected what its status does not tell yet; a new object of its name did not."""
        return key in self._owed and self._owed[key] == _uid(kept)

    def latest_of(self, policies: Mapping[Key, KeptObject]) -> dict[Key, ImageRef]:
        """Return what each of *policies* selected last: what was heard, else what its status says."""
        before, self._images = self._images, {}
        for key, kept in policies.items():
            is_heard = key in self._reflections or self._owes(key, kept)
            heard = self._refs.get(key) if is_heard else None
            source = heard if heard is not None else kept
            known = before.get(key)
            if known is None or known[0] is not source:  # thousands of names are not read again at each look
                refs = heard if heard is not None else refs_in(kept.status)
                image = refs.latest.image if refs.latest is not None else None
                known = (source, known[1] if known is not None and known[1] == image else image)  # equal is no news
            self._images[key] = known
        return {key: image for key, (_, image) in self._images.items() if image is not None}

    def scanned(self, report: ImageScanned) -> list[Ref]:
        """Remember a scan; return the ImageRepositories that it is about."""
        concerned = self.index.by_scan.get(report.listed, ())
        mark = hash(tuple(report.names)) if concerned else 0  # most scans find what the last one found, and sorting costs more
        found: dict[tuple[str, ...], RepositoryScan] = {}
        for key in concerned:
            exclusions, old = self._translation.repositories[key].exclusions, self._scans.get(key)
            if exclusions not in found:
                tags = old.tags if old is not None else None
                if report.failure is None and (tags is None or old is None or old.mark != mark):
                    tags = summarize(report.names, exclusions)
                kept_mark = old.mark if report.failure is not None and old is not None else mark
                found[exclusions] = RepositoryScan(
                    began=report.began, at=report.at, tags=tags, failure=report.failure, mark=kept_mark
                )
            self._scans[key] = found[exclusions]
        return [Ref(IMAGE_REPOSITORY, *key) for key in concerned]

    def reflected(self, report: SelectionReflected, kept: Mapping[Ref, KeptObject]) -> tuple[Ref, bool] | None:
        """Remember a selection; return the ImagePolicy of *kept* that it is about, and whether it now selects another image."""
        key = self.index.by_subscription.get(report.subscription)
        if key is None or self._is_old(Ref(IMAGE_POLICY, *key), report.began):
            return None
        request = self._translation.policies[key]
        repository = self._translation.repositories.get(request.repository)
        name = repository.name if repository else ""
        before, scan = self._refs.get(key, PolicyRefs()), self._scans.get(request.repository)
        is_kept = before.latest is not None and is_undecided(report, scan)
        failure = None if is_kept else failure_of(request, report, scan, name)
        self._reflections[key] = Reflection(began=report.began, at=report.at, failure=failure)
        if not is_kept and failure is None and report.selection is not None:
            self._refs[key] = refs_after(request, name, report.selection, before)
            if (policy := kept.get(Ref(IMAGE_POLICY, *key))) is not None and self._refs[key] != refs_in(policy.status):
                self._owed[key] = _uid(policy)  # until its status tells it, even where it is suspended meanwhile
        return Ref(IMAGE_POLICY, *key), self._refs.get(key, before) != before

    def landed(self, report: DestinationLanded) -> dict[Ref, AutomationLanding]:
        """Remember a landing; return what it means for each ImageUpdateAutomation of that branch."""
        made: dict[Ref, AutomationLanding] = {}
        branch = report.destination
        for key in self.index.by_branch.get(branch, ()) if isinstance(branch, GitBranch) else ():
            request = self._translation.automations[key]
            landing = landing_for(report, request, problem_of)
            if self._is_old(Ref(IMAGE_UPDATE_AUTOMATION, *key), landing.began):
                continue
            others = self._translation.policies.keys()
            told = tuple(item for item in landing.problems if not _is_of_another_namespace(item, key[0], others))
            self._landings[key] = made[Ref(IMAGE_UPDATE_AUTOMATION, *key)] = landing = replace(landing, problems=told)
            if landing.pushed is not None:
                self._pushes[key] = landing.pushed
            if landing.failure is None:
                self._observed[key] = self._selected(request)
        return made

    def refused(self, report: TargetsRefused) -> list[Ref]:
        """Remember targets that never land; return the ImageUpdateAutomations for which that is news."""
        before, self._refused = self._refused, {}
        unlanded = set()
        for key, request in self._translation.automations.items():
            outcomes = own_outcomes(report.outcomes, request)
            if problems := tuple(dict.fromkeys(map(problem_of, outcomes))):
                self._refused[key] = refused_landing(problems, report.at)
                wanted = sum(policy in self._translation.subscriptions for policy in request.policies)
                if len({outcome.key for outcome in outcomes}) == wanted:
                    unlanded.add(key)
        self._unlanded = frozenset(unlanded)
        told = [{key: each.problems for key, each in found.items()} for found in (before, self._refused)]
        concerned = [key for key in {**before, **self._refused} if told[0].get(key) != told[1].get(key)]
        return [Ref(IMAGE_UPDATE_AUTOMATION, *key) for key in concerned]

    def facts_of(self, ref: Ref, kept: KeptObject) -> Facts | None:
        """Return what the status of an object is made of; None where the translation does not know the object."""
        key, translation = (ref.namespace, ref.name), self._translation
        if ref.kind == IMAGE_REPOSITORY and (repository := translation.repositories.get(key)) is not None:
            return RepositoryFacts(request=repository, kept=kept, scan=self._scans.get(key))
        if ref.kind == IMAGE_POLICY and (policy := translation.policies.get(key)) is not None:
            return PolicyFacts(
                request=policy,
                kept=kept,
                refs=self._refs.get(key) or refs_in(kept.status),
                reflection=self._reflections.get(key),
                repository=translation.repositories.get(policy.repository),
                scan=self._scans.get(policy.repository),
                is_fixed=key in self.index.fixed,
                is_owed=self._owes(key, kept),
            )
        if ref.kind == IMAGE_UPDATE_AUTOMATION and (automation := translation.automations.get(key)) is not None:
            return AutomationFacts(
                request=automation,
                kept=kept,
                landing=self._landing(key),
                policies=self._observed.get(key, {}),
                push=self._pushes.get(key),
                has_targets=self.index.has_targets(automation) and key not in self._unlanded,
            )
        return None

    def _landing(self, key: Key) -> AutomationLanding | None:
        """Return the last landing of an automation, with what is refused before any landing."""
        landing, refused = self._landings.get(key), self._refused.get(key)
        if landing is None or refused is None or key in self._unlanded:  # no landing of it comes any more
            return refused or landing
        return replace(landing, problems=tuple(dict.fromkeys((*landing.problems, *refused.problems))))

    def _is_old(self, ref: Ref, began: datetime) -> bool:
        since = self._since.get(ref)
        return since is not None and began < since

    def _selected(self, request: AutomationRequest) -> dict[str, SelectedRef]:
        """Return what the policies of an automation select now, by name."""
        refs = {name: self._refs.get((namespace, name)) for namespace, name in request.policies}
        return {name: found.latest for name, found in refs.items() if found is not None and found.latest is not None}

    def _forget(self, before: FluxTranslation, now: FluxTranslation, at: datetime) -> None:
        """Forget what was heard of objects that are gone, or that ask for something else; what began before *at* is old then."""
        for key in list(self._scans):
            old, new = before.repositories.get(key), now.repositories.get(key)
            if old is None or new is None or (old.scan_key, old.exclusions) != (new.scan_key, new.exclusions):
                del self._scans[key]
        kinds = ((IMAGE_POLICY, _asked_by_policies), (IMAGE_UPDATE_AUTOMATION, _asked_by_automations))
        heard: tuple[dict[Key, Any], ...] = (self._reflections, self._landings)
        for (kind, asked_by), known in zip(kinds, heard, strict=True):
            old_ones, new_ones = asked_by(before), asked_by(now)
            for key, asked in old_ones.items():
                if new_ones.get(key) != asked:
                    known.pop(key, None)
                    self._since[Ref(kind, *key)] = at
        for known in (self._pushes, self._observed):
            for key in known.keys() - now.automations.keys():
                del known[key]
        gone = [ref for ref in self._since if (ref.namespace, ref.name) not in {**now.policies, **now.automations}]
        for ref in gone:
            del self._since[ref]


def _uid(kept: KeptObject) -> str:
    return str(mapping_in(kept.item, "metadata").get("uid"))


def _new_scans(before: FluxTranslation, now: FluxTranslation, scans: Mapping[Key, RepositoryScan]) -> list[Key]:
    """Return the ImageRepositories that ask for another scan than before, and that no scan was heard for."""
    return [
        key
        for key, new in now.repositories.items()
        if key not in scans
        and new.scan_key is not None
        and not new.is_suspended
        and _asks_otherwise(before.repositories.get(key), new)
    ]


def _otherwise(before: FluxTranslation, now: FluxTranslation, moved: Container[Key]) -> list[Ref]:
    """Return what has to be said anew: objects that are read anew, *moved* policies, and every automation.

    An ImagePolicy is read anew together with its ImageRepository. What an automation says hangs on the policies of others.
    One tag that moves is a new translation, and of thousands of objects only what reads it is looked at.
    """
    repositories = [key for key, new in now.repositories.items() if before.repositories.get(key) is not new]
    policies = [key for key, new in now.policies.items() if before.policies.get(key) is not new or key in moved]
    kinds = ((IMAGE_REPOSITORY, repositories), (IMAGE_POLICY, policies), (IMAGE_UPDATE_AUTOMATION, now.automations))
    return [Ref(kind, *key) for kind, keys in kinds for key in keys]


def _asks_otherwise(old: ImageRepositoryRequest | None, new: ImageRepositoryRequest) -> bool:
    return old is None or (old.scan_key, old.exclusions, old.is_suspended) != (new.scan_key, new.exclusions, new.is_suspended)


def problem_of(outcome: Outcome) -> Problem:
    """Return what an outcome says of a policy of an automation, as a problem."""
    told = without_waits(outcome.told)  # with another number it would be another problem at each landing
    said = f"{outcome.origin}: {told}" if outcome.origin else told
    return Problem(path="", code=outcome.code or outcome.status.value, message=said, hint=outcome.hint)


def _asked_by_policies(translation: FluxTranslation) -> dict[Key, object]:
    """Return what decides the selection of each ImagePolicy."""
    return {
        key: (item.image, item.credential, item.policy, item.filter, item.reflects_digest, item.is_reflected)
        for key, item in translation.subscriptions.items()
    }


def _asked_by_automations(translation: FluxTranslation) -> dict[Key, object]:
    """Return what decides the landing of each ImageUpdateAutomation."""
    return {
        key: (item.branch, item.path, item.commit_spec, item.policies, item.is_suspended)
        for key, item in translation.automations.items()
    }


def _is_of_another_namespace(problem: Problem, namespace: str, policies: Container[Key]) -> bool:
    """Return whether a marker names a policy of another namespace, which another automation may write."""
    other, _, name = problem.setter.partition(":")
    return other != namespace and (other, name) in policies
