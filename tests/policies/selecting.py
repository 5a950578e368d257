"""How the tests of policies choose: plain texts in, a selection out, facts from a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.model.candidate import Candidate
from updater.model.image import parse_platform
from updater.model.selection import Code
from updater.model.subscription import Variant
from updater.policies import build, build_filter, filter_from, spec_from
from updater.policies.choose import RankingMemory, SelectionRequest, choose, drive

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.model.candidate import FactRequest
    from updater.model.selection import Selection


def listing(tags: Iterable[str | Candidate]) -> dict[str, Candidate]:
    candidates = [Candidate(tag=tag) if isinstance(tag, str) else tag for tag in tags]
    return {candidate.tag: candidate for candidate in candidates}


def request(
    policy: Mapping[str, Any], tags: Iterable[str | Candidate], current: str | None = None, *, filter_: Any = None, **rules: Any
) -> SelectionRequest:
    rules["platforms"] = tuple(parse_platform(text) for text in rules.pop("platforms", ()))
    rules["variant"] = Variant(rules.pop("variant", "lock"))
    return SelectionRequest(
        candidates=listing(tags),
        policy=build(spec_from(policy)),
        name_filter=build_filter(filter_from(filter_)),
        current=current,
        **rules,
    )


def selected(
    policy: Mapping[str, Any],
    tags: Iterable[str | Candidate],
    current: str | None = None,
    *,
    known: Mapping[str, Candidate] | None = None,
    asked: list[FactRequest] | None = None,
    memory: RankingMemory | None = None,
    **rules: Any,
) -> Selection:
    """Choose, answering from *known*; what was asked is appended to *asked*."""

    def answer(ask: FactRequest) -> Candidate | None:
        if asked is not None:
            asked.append(ask)
        return (known or {}).get(ask.candidate.tag)

    return drive(choose(request(policy, tags, current, **rules), memory), answer)


def winner(*arguments: Any, **rules: Any) -> str | None:
    selection = selected(*arguments, **rules)
    return selection.chosen.tag if selection.chosen else None


def codes(selection: Selection) -> dict[str, str]:
    return {tag: str(rejection.code) for tag, rejection in selection.rejections.items()}


def ranked(selection: Selection) -> list[str]:
    """The tags that have a place and may be chosen, best first."""
    best = selection.chosen or selection.held
    lost = [item.tag for item in selection.rejections.values() if item.code in {Code.OUTRANKED, Code.DUPLICATE}]
    return [best.tag, *lost] if best else lost
