"""Knows which regular expressions of the package can take more than linear time on some text.

Python's engine goes back over a text. That is slow where one stretch of text can be divided among the parts of an expression
in more than one way: two loops that follow each other and read the same characters, a loop within a loop, or a loop behind
the search for a start. Each expression becomes an automaton, and such a stretch is looked for in it: two states, of which the
first leads to itself and to the second, and the second to itself, all by the same text (Weber and Seidl, 1991). Nothing is
run, so that the answer holds for every text. Run: ``python -m tests.patterns``.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from re import _compiler, _parser  # type: ignore[attr-defined]
from re import _constants as sre

PACKAGE = Path(__file__).parents[1] / "updater"
#: how an expression may be applied: only these two never look for a start
ANCHORED = frozenset({"match", "fullmatch"})
SEARCHING = frozenset({"search", "sub", "subn", "split", "findall", "finditer"})
#: a bounded repetition costs its bound at most; beyond this it counts as a loop
LONGEST_BOUND = 1000
_SAMPLES = [*map(chr, range(256)), *"ÉſΩ\u2028\u2029\ufeff\ud800\U0001f600"]
_ALL = (1 << len(_SAMPLES)) - 1


@dataclass
class Automaton:
    """States with edges by sets of characters, and with edges by nothing.

    An edge by nothing is a triple: where it leads, which characters may not follow, whether it can fail.
    """

    reads: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    skips: dict[int, list[tuple[int, int, bool]]] = field(default_factory=lambda: defaultdict(list))
    size: int = 0

    def state(self):
        self.size += 1
        return self.size - 1

    def skip(self, start, end, *, forbidden=0, can_fail=False):
        self.skips[start].append((end, forbidden, can_fail))


def is_linear(pattern: re.Pattern[str] | re.Pattern[bytes], *, how: str) -> bool:
    """Say whether *pattern* takes linear time on every text when it is applied by the method *how*."""
    return find_fault(pattern, how=how) is None


def find_fault(pattern: re.Pattern[str] | re.Pattern[bytes], *, how: str) -> str | None:
    """Return why *pattern* can take more than linear time when it is applied by the method *how*, None where it cannot."""
    text, flags = pattern.pattern, pattern.flags
    tree = _parser.parse(text, flags & ~sre.SRE_FLAG_DEBUG)
    machine = Automaton()
    origin, start, end = machine.state(), machine.state(), machine.state()
    is_searching = how not in ANCHORED
    machine.skip(origin, start)
    if is_searching:
        machine.reads[start].append((_ALL, start))
    try:
        _Builder(machine, tree.state, origin, bool(flags & re.MULTILINE)).build(list(tree), start, end, is_first=is_searching)
    except NotImplementedError as error:
        return str(error)
    return _ambiguity(machine, None if how == "fullmatch" else end)


@dataclass
class _Builder:
    machine: Automaton
    info: object
    origin: int
    has_lines: bool

    def build(self, items, start, end, *, is_first=False):
        here = start
        for item in items:
            following = self.machine.state()
            self._item(item, here, following, is_first=is_first)
            is_first = False
            here = following
        self.machine.skip(here, end)

    def _item(self, item, start, end, *, is_first):
        kind, value = item
        if kind in {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}:
            self.machine.reads[start].append((self._characters(item), end))
        elif kind is sre.BRANCH:
            for branch in value[1]:
                self.build(list(branch), start, end, is_first=is_first)
        elif kind is sre.SUBPATTERN:
            self.build(list(value[3]), start, end, is_first=is_first)
        elif kind is sre.ATOMIC_GROUP:
            self.build(list(value), start, end, is_first=is_first)
        elif kind in {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}:
            self._repeat(value, start, end, is_possessive=kind is sre.POSSESSIVE_REPEAT)
        elif kind in {sre.ASSERT, sre.ASSERT_NOT}:
            self._assertion(kind, value, start, end, is_first=is_first)
        elif kind is sre.AT:
            self._position(value, start, end, is_first=is_first)
        else:
            raise NotImplementedError(f"{kind} is not understood: it may go back over the text without bound")

    def _position(self, value, start, end, *, is_first):
        if is_first and value is sre.AT_BEGINNING and self.has_lines:
            self.machine.reads[start].append((1 << _SAMPLES.index("\n"), end))
        else:
            is_start = is_first and value in {sre.AT_BEGINNING, sre.AT_BEGINNING_STRING}
            self.machine.skip(self.origin if is_start else start, end, can_fail=True)

    def _repeat(self, value, start, end, *, is_possessive):
        least, most, inner = value
        is_loop = most is sre.MAXREPEAT or most > LONGEST_BOUND
        single = next(iter(inner)) if len(inner) == 1 else None
        is_class = single is not None and single[0] in {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}
        forbidden = self._characters(single) if is_possessive and is_class and is_loop else 0
        here = start
        for _ in range(min(least, 2)):
            following = self.machine.state()
            self.build(list(inner), here, following)
            here = following
        if is_loop:
            entry, behind = self.machine.state(), self.machine.state()
            self.machine.skip(here, entry)
            self.build(list(inner), entry, behind)
            self.machine.skip(behind, entry)
            self.machine.skip(entry, end, forbidden=forbidden)
            return
        for _ in range(min(most - least, 2)):
            following = self.machine.state()
            self.machine.skip(here, end)
            self.build(list(inner), here, following)
            here = following
        self.machine.skip(here, end)

    def _assertion(self, kind, value, start, end, *, is_first):
        direction, inner = value
        items = list(inner)
        if direction > 0:  # what is looked at is read, and then read again
            self.build(items, start, self.machine.state())
        elif is_first and len(items) == 1 and items[0][0] in {sre.LITERAL, sre.NOT_LITERAL, sre.IN}:
            mask = self._characters(items[0])
            self.machine.reads[start].append((mask if kind is sre.ASSERT else _ALL & ~mask, end))
            return
        elif is_first and kind is sre.ASSERT:
            self.build(items, start, end)
            return
        self.machine.skip(start, end, can_fail=True)

    def _characters(self, item):
        """Return the set of sample characters that one item reads."""
        single = _parser.SubPattern(self.info, [item])
        is_bytes = isinstance(self.info.str, bytes)  # type: ignore[attr-defined]
        compiled = _compiler.compile(single)
        mask = 0
        for number, sample in enumerate(_SAMPLES):
            shown = sample.encode("latin-1") if is_bytes and ord(sample) < 256 else None if is_bytes else sample
            if shown is not None and compiled.fullmatch(shown):
                mask |= 1 << number
        return mask


def _ambiguity(machine, accepting):
    """Find two states between which a text can be divided in more than one way."""
    steps, always = {}, set()
    for state in range(machine.size):
        steps[state], ends = _steps(machine, state, accepting)
        if ends:
            always.add(state)
    loops = _loops(steps)
    for state, edges in steps.items():
        for number, (mask, target) in enumerate(edges):
            doubled = any(mask & other and target == also for other, also in edges[:number])
            if doubled and state in loops[target] and state not in always:
                return "a loop within a loop can read the same text in many ways"
    looping = [state for state in range(machine.size) if state in loops[state]]
    for first in looping:
        for second in looping:
            if (
                first != second
                and second in loops["from"][first]
                and second not in always
                and _is_shared(steps, loops, first, second)
            ):
                return "two loops can divide the same text among them"
    return None


def _steps(machine, state, accepting):
    """Return every way to read one character from *state*, and whether it ends the match whatever follows."""
    found, ends = [], False
    stack = [(state, 0, False, frozenset())]
    while stack:
        here, forbidden, can_fail, gone = stack.pop()
        ends = ends or (here == accepting and not can_fail)
        found += [(mask & ~forbidden, target) for mask, target in machine.reads[here] if mask & ~forbidden]
        for number, (target, more, fails) in enumerate(machine.skips[here]):
            if (here, number) not in gone:
                stack.append((target, forbidden | more, can_fail or fails, gone | {(here, number)}))
    return found, ends


def _loops(steps):
    """Return for each state those that lead back to it and are reached from it; under "from" all that are reached."""
    reached = {}
    for state in steps:
        seen, stack = set(), [target for _, target in steps[state]]
        while stack:
            here = stack.pop()
            if here not in seen:
                seen.add(here)
                stack += [target for _, target in steps[here]]
        reached[state] = seen
    loops = {state: {other for other in seen if state in reached[other]} for state, seen in reached.items()}
    return {**loops, "from": reached}


def _is_shared(steps, loops, first, second):
    """Say whether one text leads *first* to itself and to *second*, and *second* to itself."""
    seen, stack = set(), [(first, first, second)]
    while stack:
        one, two, three = stack.pop()
        for mask, a in steps[one]:
            if a not in loops[first]:
                continue
            for more, b in steps[two]:
                both = mask & more
                if not both or not (b == second or second in loops["from"][b]):
                    continue
                for last, c in steps[three]:
                    if both & last and c in loops[second]:
                        node = (a, b, c)
                        if node == (first, second, second):
                            return True
                        if node not in seen:
                            seen.add(node)
                            stack.append(node)
    return False


@dataclass(frozen=True)
class Use:
    """One expression, where it stands, and the ways in which it is applied."""

    place: str
    pattern: object
    ways: frozenset[str]


def uses(package: Path = PACKAGE) -> list[Use]:
    """Collect every expression of the package with the ways in which it is applied."""
    sources = {path: ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}
    found = []
    for path, tree in sources.items():
        found += _direct(path.relative_to(package.parent), tree)
    return found + _constants(package, {path: _applied(tree) for path, tree in sources.items()})


def _applied(tree):
    """Return how each name is applied in a module; under "" how those are that are no constants of it."""
    applied = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ANCHORED | SEARCHING:
            holder = node.value.value if isinstance(node.value, ast.Subscript) else node.value
            name = getattr(holder, "id", None) or getattr(holder, "attr", None) or ""
            applied[name if name.isupper() else ""].add(node.attr)
        if isinstance(node, ast.Call) and any(isinstance(item, ast.Name) and item.id.isupper() for item in node.args):
            for item in node.args:  # an expression that is handed on is applied as expressions without a name are
                if isinstance(item, ast.Name) and item.id.isupper():
                    applied[item.id].add("")
    return applied


def _direct(path, tree):
    """Collect the expressions that are written where they are applied, and those that nobody can judge."""
    at_top = {id(node) for item in tree.body for node in ast.walk(item) if not isinstance(item, ast.FunctionDef | ast.ClassDef)}
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if getattr(node.func.value, "id", None) != "re" or node.func.attr not in ANCHORED | SEARCHING | {"compile"}:
            continue
        place, how, given = f"{path}:{node.lineno}", node.func.attr, node.args[0]
        if how == "compile":
            if id(node) not in at_top:
                found.append(Use(place, None, frozenset({"compile"})))
        elif isinstance(given, ast.Constant):
            found.append(Use(place, re.compile(given.value), frozenset({how})))
        elif not (isinstance(given, ast.Call) and ast.unparse(given.func) == "re.escape"):
            found.append(Use(place, None, frozenset({how})))
    return found


def _constants(package, applied):
    found = []
    for path, here in applied.items():
        parts = path.relative_to(package.parent).with_suffix("").parts
        if parts[-1] == "__main__":
            continue
        module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
        for name, value in vars(module).items():
            is_alone = isinstance(value, re.Pattern)
            for pattern in _patterns(value):
                ways = set(here.get(name, ()))
                if not name.startswith("_"):
                    ways |= {way for other in applied.values() for way in other.get(name, ())}
                if not is_alone or not ways or "" in ways:
                    ways |= here.get("", set())
                kept = frozenset(ways - {""}) or frozenset({"search"})
                found.append(Use(f"{path.relative_to(package.parent)} {name}", pattern, kept))
    return found


def _patterns(value):
    if isinstance(value, re.Pattern):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list | frozenset) else ()
    return [pattern for item in inside for pattern in (_patterns(item) if not isinstance(item, str) else ())]


#: expressions that are accepted although they seem to divide a text: the reason for each
ACCEPTED = {
    "updater/policies/versions.py _HYPHEN_RANGE": "a range is at most MAX_RANGE_LENGTH bytes long",
    "updater/templates/functions/words.py _WORD": "a run of U gives back its last letter at most",
}


def faults() -> list[str]:
    """Return a line for every expression of the package that can take more than linear time, or that nobody can judge."""
    lines = []
    for use in uses():
        if use.pattern is None:
            lines.append(f"{use.place}: make this expression a constant of its module, so that it can be judged")
            continue
        for how in sorted(use.ways):
            fault = find_fault(use.pattern, how=how)
            if fault and use.place not in ACCEPTED:
                lines.append(f"{use.place}: {how} by {use.pattern.pattern!r}: {fault}")
    return lines


if __name__ == "__main__":
    found = faults()
    print("\n".join(found))
    sys.exit(bool(found))
