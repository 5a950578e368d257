"""What annotations of an ImagePolicy say, and those of the automations that write it: people's decisions, gates, and delivery.

On an automation they are defaults for the policies that it writes, ``image-updater.gitops/<policy>.<key>`` for one of them. The
policy's own count before them; what people decided adds up. An annotation that cannot be read holds the policy: nobody knows what
it was to stop. So do two automations of one policy that say different things.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from updater.documents.members import mapping_in
from updater.errors import ConfigError, UpdaterError
from updater.model.decision import Decision, Hold
from updater.model.problem import Problem
from updater.settings.annotation_keys import key_of_one
from updater.settings.decisions import ANNOTATION_PREFIX, PIN, join_levels, read_annotation
from updater.settings.delivery_annotations import DELIVERY_KEYS, read_delivery, with_delivery
from updater.settings.fields import NOT_YET, nearest
from updater.settings.gate_annotations import GATE_KEYS, GROUP, read_gate, with_gates

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from updater.flux.request.reading import FluxObject
    from updater.model.gates import GateRules
    from updater.model.release import DeliveryOptions
    from updater.model.subscription import Subscription

AGENT: Final = "Kustomization"
_GROUP_HINT: Final = "list the images of the group as subscriptions of the configuration file"
_NO_POLICY: Final = "name a policy that the automation selects, or leave the name out to mean all of them"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAnnotations:
    """Our annotations on one object, by their names without the prefix."""

    origin: str
    texts: tuple[tuple[str, str], ...] = ()

    def of(self, policy: str) -> dict[str, str]:
        """Return by key the names of those that an automation has for the policy of this name alone."""
        return {key: name for name, _ in self.texts if (key := key_of_one(name)) and name == f"{policy}.{key}"}

    def of_all(self) -> dict[str, str]:
        """Return by key the names of those that mean everything; one that is not known is a key too."""
        return {name: name for name, _ in self.texts if not key_of_one(name)}

    def astray(self, policies: Collection[str]) -> Iterator[Problem]:
        """Yield what is wrong with those that name none of *policies*."""
        for name, _ in self.texts:
            policy = name.removesuffix(f".{key_of_one(name)}")
            if policy != name and policy not in policies:
                message = f"{ANNOTATION_PREFIX}{name}: this automation selects no ImagePolicy {policy}"
                hint = nearest(policy, sorted(policies)) or _NO_POLICY
                yield Problem(path="", code="alias", message=message, hint=hint, origin=self.origin)


def own_annotations(item: FluxObject, *, except_for: str = "") -> OwnAnnotations:
    """Return our annotations on *item* that say something, but for one that means something else there."""
    texts = (
        (name.removeprefix(ANNOTATION_PREFIX), text)
        for name, text in mapping_in(item.metadata, "annotations").items()
        if name.startswith(ANNOTATION_PREFIX) and name != except_for and isinstance(text, str) and text.strip()
    )
    return OwnAnnotations(origin=str(item), texts=tuple(texts))


@dataclass(frozen=True, slots=True)
class _Said:
    """One annotation that counts: where it stands, its name without the prefix, and its text."""

    origin: str
    name: str
    text: str

    def problem(self, error: UpdaterError) -> Problem:
        message = f"{ANNOTATION_PREFIX}{self.name}: {error.message}"
        return Problem(path="", code=error.code, message=message, hint=error.hint, origin=self.origin)


class AnnotatedPolicy:
    """Reads what annotations say of one subscription, and collects what is wrong with them."""

    def __init__(self, key: str, own: OwnAnnotations, automations: Sequence[OwnAnnotations]) -> None:
        self._key = key
        name = key.rpartition("/")[2]
        self._own = {kind: _Said(own.origin, kind, text) for kind, text in own.texts}
        self._defaults = [_levels(each, name) for each in automations]
        self._holds: list[Decision] = []
        self._problems: list[Problem] = []

    def subscription(
        self, subscription: Subscription, gates: GateRules, delivery: DeliveryOptions | None
    ) -> tuple[Subscription, tuple[Problem, ...]]:
        """Return *subscription* as annotations want it, *gates* and *delivery* where they say nothing, and what is wrong."""
        rules = with_gates(gates, self._values(GATE_KEYS, _read_gate))
        options = with_delivery(delivery, self._values(DELIVERY_KEYS, read_delivery))
        searched = (AGENT,) if options is not None and options.workload is None else ()
        found = replace(options, searched=searched) if options is not None else None
        decided = self._decided()
        made = replace(subscription, gates=rules, delivery=found, decisions=(*decided, *self._holds))
        return made, tuple(dict.fromkeys(self._problems))

    def _decided(self) -> tuple[Decision, ...]:
        """Return what people decided on the policy and on each automation: none of these stands above another one."""
        own = self._decisions(self._own)
        if PIN not in own:
            try:
                self._default(PIN)
            except ConfigError as error:
                self._hold(self._offered(PIN)[0], error)
        joined = [join_levels([own, *map(self._decisions, levels)]) for levels in self._defaults] or [join_levels([own])]
        return tuple(dict.fromkeys(chain.from_iterable(joined)))

    def _decisions(self, level: Mapping[str, _Said]) -> dict[str, tuple[Decision, ...]]:
        """Return by kind what people decided in annotations of one level."""
        found: dict[str, tuple[Decision, ...]] = {}
        for kind, said in level.items():
            if kind in {*GATE_KEYS, *DELIVERY_KEYS}:
                continue
            try:
                where = f"{said.origin} {ANNOTATION_PREFIX}{said.name}"
                found[kind] = read_annotation(kind, said.text, key=self._key, where=where)
            except ConfigError as error:
                self._hold(said, error)
        return found

    def _values(self, names: Iterable[str], read: Callable[[str, str], Any]) -> dict[str, Any]:
        """Return the values of the annotations of these *names*, each read by *read*."""
        values: dict[str, Any] = {}
        for name in names:
            said = self._own.get(name)
            try:
                if said is None and (said := self._default(name)) is None:
                    continue
                values[name] = read(name, said.text)
            except UpdaterError as error:
                self._hold(said or self._offered(name)[0], error)
        return values

    def _offered(self, name: str) -> list[_Said]:
        found = (next((level[name] for level in levels if name in level), None) for levels in self._defaults)
        return [said for said in found if said is not None]

    def _default(self, name: str) -> _Said | None:
        """Return what automations say; raise `ConfigError` where they do not agree."""
        offered = self._offered(name)
        if len({said.text.strip() for said in offered}) > 1:
            first, other = offered[0].origin, next(each.origin for each in offered if each.text != offered[0].text)
            message = f"{first} and {other} write {self._key} and do not agree"
            raise ConfigError(message, hint="write the annotation on the ImagePolicy", code="conflict")
        return offered[0] if offered else None

    def _hold(self, said: _Said, error: UpdaterError) -> None:
        problem = said.problem(error)
        self._problems.append(problem)
        self._holds.append(Hold(key=self._key, reason=problem.message, is_unread=True, where=said.origin))


def _read_gate(name: str, text: str) -> Any:
    if name == GROUP:
        raise ConfigError("groups of ImagePolicies are not in this version", hint=_GROUP_HINT, code=NOT_YET)
    return read_gate(name, text)


def _levels(own: OwnAnnotations, policy: str) -> tuple[dict[str, _Said], dict[str, _Said]]:
    """Return by key what an automation says of one policy, and of all that it writes."""
    texts = dict(own.texts)
    exact, whole = (
        {key: _Said(own.origin, name, texts[name]) for key, name in names.items()} for names in (own.of(policy), own.of_all())
    )
    return exact, whole
