"""Reads PromQL as far as our dashboard and alerts use it, and says what of it cannot be, given the metrics that there are.

Source: https://prometheus.io/docs/prometheus/latest/querying/. What is not known here is refused, not skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TARGET_LABELS: Final = frozenset({"namespace", "job", "instance"})
AGGREGATIONS: Final = frozenset({"sum", "min", "max", "avg", "count", "topk"})
OVER_RANGES: Final = frozenset({"rate", "increase", "changes", "last_over_time"})
OF_COUNTERS: Final = frozenset({"rate", "increase"})
FUNCTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(OVER_RANGES, ("matrix",)),
    "histogram_quantile": ("scalar", "vector"),
    "absent": ("vector",),
    "vector": ("scalar",),
    "time": (),
}
_RANKS: Final = {
    "or": 1,
    "and": 2,
    "unless": 2,
    **dict.fromkeys(("==", "!=", "<=", "<", ">=", ">"), 3),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys("*/%", 5),
}
_SETS: Final = frozenset({"and", "or", "unless"})
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<duration>(?:\d+(?:ms|[smhdwy]))+\b)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<text>"(?:[^"\\\n]|\\.)*")
      | (?P<word>[A-Za-z_:][\w:]*)
      | (?P<mark>==|!=|<=|>=|=~|!~|[-+*/%<>=(){}\[\],])""",
    re.VERBOSE,
)


class Wrong(Exception):  # noqa: N818 - it says what is the case
    """The text is no PromQL, or asks for what is not there."""


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Selector:
    name: str
    matchers: tuple[tuple[str, str, str], ...] = ()
    span: str = ""


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Aggregate:
    operator: str
    arguments: tuple[Node, ...]
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Binary:
    operator: str
    left: Node
    right: Node
    on: tuple[str, ...] | None = None


Node = Number | Selector | Call | Aggregate | Binary


def parse(text: str) -> Node:
    """Read one expression; raises `Wrong`."""
    reader = _Reader(list(_tokens(text)))
    node = reader.expression(0)
    reader.expect("end", "")
    return node


def selectors(node: Node) -> Iterator[Selector]:
    """Give every selector in an expression."""
    match node:
        case Selector():
            yield node
        case Call(arguments=parts) | Aggregate(arguments=parts):
            for part in parts:
                yield from selectors(part)
        case Binary():
            yield from selectors(node.left)
            yield from selectors(node.right)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise Wrong(f"{text[place : place + 20]!r} cannot be read")
        if found.lastgroup != "space":
            yield str(found.lastgroup), found.group()
        place = found.end()
    yield "end", ""


@dataclass
class _Reader:
    tokens: Sequence[tuple[str, str]]
    place: int = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.place]

    def take(self) -> tuple[str, str]:
        self.place += 1
        return self.tokens[self.place - 1]

    def accept(self, value: str) -> bool:
        if self.peek()[0] != "text" and self.peek()[1] == value:
            self.place += 1
            return True
        return False

    def expect(self, kind: str, value: str | None = None) -> str:
        found, text = self.take()
        if found != kind or value not in {None, text}:
            raise Wrong(f"{text or 'the end'!r} where {value or kind} is wanted")
        return text

    def expression(self, rank: int) -> Node:
        left = self.primary()
        while (operator := self.peek()[1]) in _RANKS and self.peek()[0] != "text" and _RANKS[operator] > rank:
            self.take()
            on = self.labels() if self.accept("on") else None
            right = self.expression(_RANKS[operator])
            left = Binary(operator, left, right, on)
        return left

    def primary(self) -> Node:
        kind, text = self.take()
        if kind == "number":
            return Number(float(text))
        if (kind, text) == ("mark", "("):
            inner = self.expression(0)
            self.expect("mark", ")")
            return inner
        if kind != "word" or text in _RANKS:
            raise Wrong(f"{text or 'the end'!r} begins no expression")
        if text in AGGREGATIONS:
            by = self.labels() if self.accept("by") else ()
            return Aggregate(text, self.arguments(), by)
        return Call(text, self.arguments()) if self.peek()[1] == "(" else self.selector(text)

    def arguments(self) -> tuple[Node, ...]:
        self.expect("mark", "(")
        found: list[Node] = []
        while not self.accept(")"):
            if found:
                self.expect("mark", ",")
            found.append(self.expression(0))
        return tuple(found)

    def labels(self) -> tuple[str, ...]:
        self.expect("mark", "(")
        found: list[str] = []
        while not self.accept(")"):
            if found:
                self.expect("mark", ",")
            found.append(self.expect("word"))
        return tuple(found)

    def selector(self, name: str) -> Selector:
        matchers: list[tuple[str, str, str]] = []
        if self.accept("{"):
            while not self.accept("}"):
                if matchers:
                    self.expect("mark", ",")
                label, operator = self.expect("word"), self.expect("mark")
                if operator not in {"=", "!=", "=~", "!~"}:
                    raise Wrong(f"{operator!r} matches no label")
                matchers.append((label, operator, self.expect("text")[1:-1]))
        span = ""
        if self.accept("["):
            span = self.expect("duration")
            self.expect("mark", "]")
        return Selector(name, tuple(matchers), span)


@dataclass(frozen=True)
class Series:
    """What is known of one name: counter or gauge, and its own labels."""

    kind: str
    labels: frozenset[str] = frozenset()


@dataclass
class Judge:
    """Says of what form an expression is (scalar, vector, matrix) and which labels its series have; raises `Wrong`."""

    known: Mapping[str, Series]
    used: set[str] = field(default_factory=set)

    def labels(self, text: str) -> frozenset[str]:
        """Give the labels of what *text* comes to, which must be a vector."""
        form, labels = self._of(parse(text))
        if form != "vector":
            raise Wrong(f"it is a {form}, and nothing to draw")
        return labels

    def _of(self, node: Node) -> tuple[str, frozenset[str]]:
        match node:
            case Number():
                return "scalar", frozenset()
            case Selector():
                return self._of_selector(node, is_counted=False)
            case Call():
                return self._of_call(node)
            case Aggregate():
                return self._of_aggregate(node)
            case Binary():
                return self._of_binary(node)

    def _of_selector(self, node: Selector, *, is_counted: bool) -> tuple[str, frozenset[str]]:
        series = self.known.get(node.name)
        if series is None:
            raise Wrong(f"no metric is called {node.name}")
        if (series.kind == "counter") is not is_counted:
            raise Wrong(
                f"{node.name} is a {series.kind}: {'it is not counted' if is_counted else 'only its increase says something'}"
            )
        labels = series.labels | TARGET_LABELS
        for label, operator, value in node.matchers:
            if label not in labels:
                raise Wrong(f"{node.name} has no label {label}")
            if "~" in operator:
                re.compile(value)
        self.used.add(node.name)
        return ("matrix" if node.span else "vector"), labels

    def _of_call(self, node: Call) -> tuple[str, frozenset[str]]:
        if node.function not in FUNCTIONS:
            raise Wrong(f"{node.function} is not known here")
        is_counted = node.function in OF_COUNTERS
        found = [
            self._of_selector(part, is_counted=is_counted) if isinstance(part, Selector) else self._of(part)
            for part in node.arguments
        ]
        if tuple(form for form, _ in found) != FUNCTIONS[node.function]:
            raise Wrong(f"{node.function} takes {FUNCTIONS[node.function]}, not {tuple(form for form, _ in found)}")
        match node.function:
            case "time":
                return "scalar", frozenset()
            case "vector" | "absent":
                return "vector", frozenset()
            case "histogram_quantile":
                if "le" not in found[1][1]:
                    raise Wrong("the buckets lost their le")
                return "vector", found[1][1] - {"le"}
        return "vector", found[0][1]

    def _of_aggregate(self, node: Aggregate) -> tuple[str, frozenset[str]]:
        forms = ("scalar", "vector") if node.operator == "topk" else ("vector",)
        found = [self._of(part) for part in node.arguments]
        if tuple(form for form, _ in found) != forms:
            raise Wrong(f"{node.operator} takes {forms}")
        labels = found[-1][1]
        if missing := set(node.by) - labels:
            raise Wrong(f"grouped by {', '.join(sorted(missing))}, which is not there")
        return "vector", labels if node.operator == "topk" else frozenset(node.by)

    def _of_binary(self, node: Binary) -> tuple[str, frozenset[str]]:
        (left, labels), (right, others) = self._of(node.left), self._of(node.right)
        if "matrix" in {left, right}:
            raise Wrong(f"{node.operator} takes no range")
        if "scalar" in {left, right}:
            if node.operator in _SETS:
                raise Wrong(f"{node.operator} takes no number")
            return ("scalar" if left == right else "vector"), labels | others
        if node.on is not None and (missing := set(node.on) - (labels & others)):
            raise Wrong(f"matched on {', '.join(sorted(missing))}, which one side lacks")
        if node.operator == "or":
            return "vector", labels & others
        if node.on is None and labels != others:
            raise Wrong(f"{sorted(labels)} never meet {sorted(others)}")
        return "vector", labels if node.operator in _SETS or node.on is None else frozenset(node.on)
