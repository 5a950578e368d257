"""What a commit says: every change with its reason, in our words or by a user's template, and always our trailers.

The trailers are the memory of the program, so nothing in a template's text can hide them or look like them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from updater.errors import TemplateError
from updater.git.object_builder import Identity
from updater.git.trailers import TRAILERS, add_trailers
from updater.model.publishing import as_branch
from updater.model.update import Purpose
from updater.model.view import NOTHING, place_sum
from updater.writeback.message_data import APPLICATION, branch_data, message_data, new_tag, old_tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.model.subscription import CommitSpec
    from updater.model.update import Change, Commit, Update
    from updater.templates.template import Template

SUBJECT_LENGTH: Final = 72
MAX_MESSAGE: Final = 64 * 1024
MAX_PLACES: Final = 200
_NAME_LENGTH: Final = 45

_OURS: Final = re.compile(rf"^(?=(?:{'|'.join(TRAILERS.values())})\s*:)", re.IGNORECASE | re.MULTILINE)
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def commit_message(commit: Commit, changes: Mapping[Update, tuple[Change, ...]]) -> str:
    """Return the whole message of *commit*, ending in the trailers; *changes* are what each of its updates changed.

    The template of the commit spec makes the text before the trailers; without one, or where it makes nothing, the text is ours.
    Raises `TemplateError` with the place in the template.
    """
    updates = [update for update in commit.updates if changes.get(update)] or list(commit.updates)
    text = ""
    if commit.commit_spec.message:
        data = message_data(updates, changes, dict(commit.commit_spec.values), owner=commit.commit_spec.owner)
        text = _clean(message_template(commit.commit_spec.message).render(data))
    return _signed_off(with_trailers(text or _default(updates, changes), updates), commit.commit_spec)


@lru_cache(maxsize=256)
def message_template(text: str) -> Template:
    """Parse a message template, with every function that messages have; raise `TemplateError`."""
    return _parsed(text, "message")


def with_trailers(text: str, updates: Sequence[Update]) -> str:
    """Return *text* with the trailers of *updates* as its last paragraph, each once and in the order of the updates."""
    return add_trailers(
        text,
        subscriptions=[update.subscription for update in updates],
        policies=[update.policy for update in updates],
        images=[str(update.written_as) for update in updates],
        rejected=[
            f"{update.subscription} {update.rejected.digest or update.rejected.tag}"
            for update in updates
            if update.purpose is Purpose.REVERT and update.rejected
        ],
        replaced=[f"{update.subscription} {update.replaced}" for update in updates if update.replaced],
        changes=[f"{update.subscription} {old_tag(update) or NOTHING} {new_tag(update)}" for update in updates],
        places=_places(updates),
    )


def _places(updates: Sequence[Update]) -> list[str]:
    """Return in which files each subscription is written, by short sums of their paths: a later look knows them again."""
    found: dict[str, dict[str, None]] = {}
    for update in updates:
        found.setdefault(update.subscription, {})[place_sum(update.reading.path)] = None
    return [f"{key} {','.join(sums)}" for key, sums in found.items()]


def _signed_off(text: str, commit_spec: CommitSpec) -> str:
    """Add the author's line behind the trailers, as ``git commit --signoff`` does; one that stands there is enough."""
    line = f"Signed-off-by: {Identity(name=commit_spec.name, email=commit_spec.email)}"
    is_needed = commit_spec.is_signed_off and line.casefold() not in text.casefold().split("\n")
    return f"{text}{line}\n" if is_needed else text


def branch_name(template: str, updates: Sequence[Update], *, target: str = "") -> str:
    """Return the name of a branch by *template*, at most 255 bytes; what Git refuses in a name becomes ``-``.

    Raises `TemplateError`, also where nothing remains.
    """
    made = _branch_template(template).render(branch_data(updates, target)).strip()
    name = as_branch(made)
    if not name:
        raise TemplateError("the template makes no branch name", hint="name an image: updater-{{ (index .Images 0).NewTag }}")
    return name


@lru_cache(maxsize=256)
def _branch_template(text: str) -> Template:
    return _parsed(text, "branch")


def _parsed(text: str, name: str) -> Template:
    from updater.templates import parse  # noqa: PLC0415 - messages of our own words need no template language
    from updater.writeback.message_versions import VERSION_FUNCTIONS  # noqa: PLC0415

    return parse(text, name=name, functions=VERSION_FUNCTIONS)


def _clean(text: str) -> str:
    """Return a template's text as Git can keep it: no control characters, nothing that reads as a trailer of ours."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(char for char in lines if char in "\n\t" or not (unicodedata.category(char) == "Cc" or char in _TURNING))
    stripped = "\n".join(line.rstrip() for line in kept[:MAX_MESSAGE].split("\n")).strip("\n")
    return _OURS.sub("    ", stripped)


def _default(updates: Sequence[Update], changes: Mapping[Update, tuple[Change, ...]]) -> str:
    moves: dict[tuple[str, str], list[Update]] = {}
    for update in updates:
        moves.setdefault((_short(update), update.policy), []).append(update)
    left = MAX_PLACES
    lines: list[str] = []
    for (move, policy), alike in moves.items():
        places = (f"  {change.path}:{change.line}" for update in alike for change in changes.get(update, ()))
        distinct = list(dict.fromkeys(places))
        shown, left = distinct[: max(left, 0)], left - len(distinct)
        lines += [f"{move} ({policy}; {_origins(alike)})", *shown]
        if len(shown) < len(distinct):
            lines.append(f"  and {len(distinct) - len(shown)} more")
        lines += dict.fromkeys(f"  {update.why}" for update in alike if update.why)
    return _clean(f"{subject_of(updates)}\n\n" + "\n".join(lines))


def _origins(updates: Sequence[Update]) -> str:
    """Name who asked for one move: the first, and how many more."""
    asked = list(dict.fromkeys(update.origin for update in updates))
    return asked[0] if len(asked) == 1 else f"{asked[0]} and {len(asked) - 1} more"


def _short(update: Update) -> str:
    old = update.reading.written
    name = str(update.written_as.name)
    old_name = old.name if old.name and old.name not in {name, update.image.name.spelled} else ""
    before = _shorten(old_tag(update)) or "nothing"
    return f"{name}: {old_name + ':' if old_name else ''}{before} → {_shorten(new_tag(update))}"


def _shorten(tag: str) -> str:
    """Cut digests to 12 digits, as the trailers have the whole."""
    return re.sub(r"(sha[0-9]+:[0-9a-f]{12})[0-9a-f]+", r"\1", tag)


def subject_of(updates: Sequence[Update]) -> str:
    """Return one line that says what *updates* change."""
    verb = "Revert" if all(update.purpose is Purpose.REVERT for update in updates) else "Update"
    names = list(dict.fromkeys(str(update.written_as.name) for update in updates))
    if len(names) != 1:
        return f"{verb} {len(names)} images{_for_whom(updates)}"
    tags = list(dict.fromkeys(_shorten(new_tag(update)) for update in updates))
    last = names[0].rpartition("/")[2]
    to = f" to {tags[0]}" if len(tags) == 1 else ""
    wordings = (f"{verb} {names[0]}{to}", f"{verb} {last}{to}", f"{verb} {last}")
    return next((text for text in wordings if len(text) <= SUBJECT_LENGTH), wordings[-1])


def _for_whom(updates: Sequence[Update]) -> str:
    """Return in which Application several images move, or in how many; nothing where something else asked too."""
    asked = dict.fromkeys(update.origin.partition(" ")[::2] for update in updates)
    if any(kind != APPLICATION for kind, _ in asked):
        return ""
    name = next(name for _, name in asked)
    return f" in {len(asked)} Applications" if len(asked) > 1 else f" in {name}" if len(name) <= _NAME_LENGTH else ""
