"""How the objects of a pack are inflated: piece by piece, each size read and judged before anything is allocated.

An object that is no delta is hashed and searched in pieces, so its size costs no memory. A delta needs its base and its
result in memory; the bases that wait are let go as early as the shape of the chains allows.
Format: git documentation, gitformat-pack.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dulwich.pack import apply_delta

from updater.git.limits import MEBIBYTE, exceeded, shown_size
from updater.git.objects import BLOB, COMMIT, NAMES, TAG, TREE
from updater.git.sieve import Sought

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterator

    from updater.errors import GitError
    from updater.git.limits import Bounds, RepositoryLimits
    from updater.git.sieve import Sieve

    Contents = bytes | mmap.mmap
    Entry = tuple[bytes, int, int | None]

HEADER: Final = 12
TRAILER: Final = 20
_OFS_DELTA: Final = 6
_REF_DELTA: Final = 7
_FULL: Final = frozenset({COMMIT, TREE, BLOB, TAG})
_STEP: Final = 65536
_LONGEST_SIZE: Final = 10  # bytes of a number of 64 bits in groups of 7
_HELD: Final = 16 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before an object: its *kind* (None for a delta), the *size* of what is deflated, and a delta's *base*.

    *base* is an offset in the pack or the 20 bytes of a name. *start* is where the deflated bytes begin.
    """

    kind: int | None
    size: int
    base: int | bytes | None
    start: int


def read_header(contents: Contents, offset: int) -> Header:
    """Read the header at *offset*; raise `ValueError` and `IndexError` for a malformed one."""
    byte = contents[offset]
    kind, size, shift, at = byte >> 4 & 7, byte & 15, 4, offset + 1
    while byte & 0x80:
        if at - offset > _LONGEST_SIZE:
            raise ValueError("the size of an object is malformed")
        byte = contents[at]
        size, shift, at = size | (byte & 0x7F) << shift, shift + 7, at + 1
    if kind == _OFS_DELTA:
        distance, at = _read_distance(contents, at)
        if not 0 < distance <= offset - HEADER:
            raise ValueError("a delta names a base outside the pack")
        return Header(None, size, offset - distance, at)
    if kind == _REF_DELTA:
        return Header(None, size, bytes(contents[at : at + 20]), at + 20)
    if kind not in _FULL:
        raise ValueError(f"there is no kind {kind} of objects")
    return Header(kind, size, None, at)


def _read_distance(contents: Contents, at: int) -> tuple[int, int]:
    byte, first = contents[at], at
    distance = byte & 0x7F
    while byte & 0x80:
        at += 1
        if at - first > _LONGEST_SIZE:
            raise ValueError("the distance to a base is malformed")
        byte = contents[at]
        distance = (distance + 1) << 7 | byte & 0x7F
    return distance, at + 1


def inflate(contents: Contents, header: Header, take: Callable[[bytes], object]) -> int:
    """Hand what is deflated behind *header* to *take* in pieces; return where it ends. Raise `zlib.error`, `ValueError`."""
    inflater, at, left = zlib.decompressobj(), header.start, header.size
    with memoryview(contents) as view:
        while not inflater.eof:
            with view[at : at + min(_STEP, left + (left >> 9) + 64)] as piece:
                data = inflater.decompress(piece, min(_STEP, left + 1))
                # at the end zlib may leave what follows in both: it is counted once
                used = len(piece) - len(inflater.unused_data or inflater.unconsumed_tail)
            at, left = at + used, left - len(data)
            if left < 0 or not (used or data or inflater.eof):
                raise ValueError("an object is longer or shorter than its header says")
            if data:
                take(data)
    if left:
        raise ValueError("an object is shorter than its header says")
    return at


def read_whole(contents: Contents, header: Header) -> bytes:
    """Return what is deflated behind *header*; the caller has judged its size."""
    parts: list[bytes] = []
    inflate(contents, header, parts.append)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def result_size(contents: Contents, header: Header) -> int:
    """Return the size of the object at *header*, of a delta that of its result, without inflating it."""
    if header.base is None:
        return header.size
    with memoryview(contents) as view, view[header.start : header.start + 512] as piece:
        return _delta_sizes(zlib.decompressobj().decompress(piece, 2 * _LONGEST_SIZE))[1]


def _delta_sizes(beginning: bytes | bytearray) -> tuple[int, int]:
    sizes, at = [], 0
    for _ in range(2):
        size = shift = 0
        while True:
            byte = beginning[at]
            size, shift, at = size | (byte & 0x7F) << shift, shift + 7, at + 1
            if not byte & 0x80:
                break
        sizes.append(size)
    return sizes[0], sizes[1]


def object_count(contents: Contents) -> int:
    """Return how many objects the pack says it holds; raise `ValueError` where it is none."""
    if len(contents) < HEADER + TRAILER or bytes(contents[:4]) != b"PACK" or contents[7] not in {2, 3}:
        raise ValueError("this is not a pack")
    return int.from_bytes(contents[8:12], "big")


@dataclass(slots=True)
class Survey:
    """What one pass over a pack found: the entries of whole objects, and the deltas by their base.

    *largest* is the size of the largest delta, base or result, *total* the bytes of all objects. *checks* has the checksum
    of each delta.
    """

    whole: list[Entry] = field(default_factory=list)
    by_offset: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))
    checks: dict[int, int] = field(default_factory=dict)
    largest: int = 0
    total: int = 0

    def add_delta(self, offset: int, base: int | bytes) -> None:
        """Note the delta at *offset*."""
        (self.by_offset if isinstance(base, int) else self.by_name)[base].append(offset)  # type: ignore[index]

    def roots(self) -> list[int]:
        """Where the whole objects stand that deltas build on."""
        by_name = [offset for name, offset, _ in self.whole if name in self.by_name] if self.by_name else []
        return sorted({*by_name, *(offset for offset in self.by_offset if offset not in self.checks)})

    @property
    def memory(self) -> int:
        """How many bytes it may take at one time to resolve the deltas: those that wait, and one with its base and result."""
        return min(self.most_held + 3 * self.largest, 2 * self.total) if self.checks else 0

    @property
    def most_held(self) -> int:
        """How many bytes of objects may wait for the deltas that build on them."""
        return max(_HELD, 4 * self.largest)


class Surveyor:
    """Walks once over a pack, judges every size and count in it and names its whole objects."""

    def __init__(self, contents: Contents, limits: RepositoryLimits, sieve: Sieve | None = None) -> None:
        self._contents = contents
        self._limits = limits
        self._sieve = sieve
        self._survey = Survey()

    def survey(self) -> Survey:
        """Return what the pack holds; raise `GitError` ``git-limit``, and `ValueError` or `zlib.error` for a malformed one."""
        count, limits, offset = object_count(self._contents), self._limits, HEADER
        if count > limits.objects:
            raise exceeded("objects", f"a pack holds {count:,} objects", limits.objects)
        for _ in range(count):
            header = read_header(self._contents, offset)
            self._judge(header.size, is_held=header.kind != BLOB)
            offset = self._whole(offset, header) if header.base is None else self._delta(offset, header)
            if offset > len(self._contents) - TRAILER:
                raise ValueError("the pack ends in the middle of an object")
        return self._survey

    def _judge(self, size: int, *, is_held: bool) -> None:
        if is_held and size > self._limits.object:
            raise _too_large(size, self._limits)
        self._survey.total += size
        if self._survey.total > self._limits.unpacked:
            what = f"a pack inflates to {shown_size(self._survey.total)} and more"
            raise exceeded("unpacked", what, self._limits.unpacked)

    def _whole(self, offset: int, header: Header) -> int:
        assert header.kind is not None  # noqa: S101 - a header without a base has a kind
        name = hashlib.sha1(b"%s %d\0" % (NAMES[header.kind], header.size), usedforsecurity=False)
        sought = Sought(self._sieve.needles) if self._sieve and header.kind == BLOB else None

        def take(data: bytes) -> None:
            name.update(data)
            if sought is not None:
                sought.take(data)

        end = inflate(self._contents, header, take)
        raw = name.digest()
        if sought is not None and self._sieve is not None:
            self._sieve.note(raw, is_hit=sought.is_found)
        self._survey.whole.append((raw, offset, self._check(offset, end)))
        return end

    def _delta(self, offset: int, header: Header) -> int:
        beginning = bytearray()
        end = inflate(self._contents, header, lambda data: beginning.extend(data[:64]) if len(beginning) < 64 else None)
        source, result = _delta_sizes(beginning)
        self._survey.largest = max(self._survey.largest, source, result, header.size)
        self._judge(result, is_held=True)
        if source > self._limits.object:
            raise _too_large(source, self._limits)
        assert header.base is not None  # noqa: S101 - of a delta
        self._survey.add_delta(offset, header.base)
        self._survey.checks[offset] = self._check(offset, end)
        return end

    def _check(self, offset: int, end: int) -> int:
        with memoryview(self._contents) as view, view[offset:end] as piece:
            return zlib.crc32(piece)


def _too_large(size: int, limits: RepositoryLimits) -> GitError:
    return exceeded("object", f"one object of a pack needs {shown_size(size)} of memory", limits.object)


@dataclass(slots=True)
class _Base:
    """An object that deltas wait for, the one with the most below it first."""

    kind: int
    data: bytes
    waiting: list[int]
    depth: int


class Chains:
    """Resolves the deltas of a *survey*. *external* gives objects that the pack does not hold, by their name."""

    def __init__(
        self,
        contents: Contents,
        survey: Survey,
        limits: RepositoryLimits,
        *,
        external: Callable[[bytes], tuple[int, bytes]] | None = None,
    ) -> None:
        self._contents = contents
        self._survey = survey
        self._limits = limits
        self._external = external
        self._weights = self._weigh()
        self._held = 0
        self.borrowed: list[bytes] = []

    def below(self, offset: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield every object that builds on the whole object at *offset*: where it stands, its kind and its bytes."""
        header = read_header(self._contents, offset)
        if header.kind is None or header.size > self._limits.object:
            raise _too_large(header.size, self._limits)
        data = read_whole(self._contents, header)
        yield from self._walk(_Base(header.kind, data, self._take(offset, data, header.kind), 0))

    def outside(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield every object that builds on one outside the pack."""
        for name in sorted(self._survey.by_name):
            if name not in self._survey.by_name or self._external is None:
                continue
            try:
                kind, data = self._external(name)
            except KeyError:  # it may be a delta of the pack, found when the one that it builds on is
                continue
            self.borrowed.append(name)
            yield from self._walk(_Base(kind, data, self._sorted(self._survey.by_name.pop(name)), 0))

    def _walk(self, root: _Base) -> Iterator[tuple[int, int, bytes]]:
        stack = [root] if root.waiting else []
        self._held = len(root.data)
        while stack:
            base = stack[-1]
            offset = base.waiting.pop()
            if not base.waiting:  # the last one has the most below it, and by then its base is not held any more
                stack.pop()
                self._held -= len(base.data)
            data = self._applied(base, offset)
            yield offset, base.kind, data
            waiting = self._take(offset, data, base.kind)
            if waiting:
                self._hold(len(data), base.depth + 1)
                stack.append(_Base(base.kind, data, waiting, base.depth + 1))

    def _applied(self, base: _Base, offset: int) -> bytes:
        delta = read_whole(self._contents, read_header(self._contents, offset))
        source, result = _delta_sizes(delta[:64])
        if source != len(base.data):
            raise ValueError("a delta was made for another base")
        data = b"".join(apply_delta(base.data, delta))
        if len(data) != result:
            raise ValueError("a delta gives another length than it says")
        return data

    def _hold(self, size: int, depth: int) -> None:
        if depth >= self._limits.delta_depth:
            raise exceeded("delta_depth", f"a pack holds a chain of more than {depth:,} deltas", self._limits.delta_depth)
        self._held += size
        if self._held > self._survey.most_held:
            what = f"the deltas of a pack need {shown_size(self._held)} of memory at one time"
            raise exceeded("object", what, self._survey.most_held)

    def _take(self, offset: int, data: bytes, kind: int) -> list[int]:
        """Take the deltas that wait for what stands at *offset*, the one with the most below it first."""
        waiting = self._survey.by_offset.pop(offset, [])
        if self._survey.by_name:
            waiting = [*waiting, *self._survey.by_name.pop(raw_name(kind, data), [])]
        return self._sorted(waiting)

    def _sorted(self, waiting: list[int]) -> list[int]:
        return sorted(waiting, key=lambda offset: self._weights.get(offset, 0), reverse=True)

    def _weigh(self) -> dict[int, int]:
        """Count what builds on each delta; a base stands before its deltas, so the last comes first."""
        weights: dict[int, int] = {}
        for base in sorted(self._survey.by_offset, reverse=True):
            weights[base] = sum(1 + weights.get(offset, 0) for offset in self._survey.by_offset[base])
        return weights


def resolved(survey: Survey, chains: Chains) -> Iterator[tuple[int, int, bytes]]:
    """Yield every object of the pack that is a delta: where it stands, its kind and its bytes."""
    for offset in survey.roots():
        yield from chains.below(offset)
    yield from chains.outside()
    if survey.by_offset or survey.by_name:
        raise ValueError("the pack holds deltas that build on nothing")


def index_entries(
    contents: Contents,
    bounds: Bounds,
    external: Callable[[bytes], tuple[int, bytes]] | None = None,
    sieve: Sieve | None = None,
) -> tuple[list[Entry], list[bytes]]:
    """Return the entries of a pack's index, sorted, and the names of the objects outside that it builds on.

    Each file goes through *sieve* while it is inflated anyway.
    Raises `GitError` ``git-limit``, and `ValueError`, `IndexError` or `zlib.error` for a malformed pack.
    """
    survey = Surveyor(contents, bounds.limits, sieve).survey()
    entries = survey.whole
    with bounds.memory(survey.memory):
        chains = Chains(contents, survey, bounds.limits, external=external)
        for offset, kind, data in resolved(survey, chains):
            raw = raw_name(kind, data)
            entries.append((raw, offset, survey.checks[offset]))
            if sieve and kind == BLOB:
                sieve.note(raw, is_hit=any(needle in data for needle in sieve.needles))
    entries.sort()
    return entries, chains.borrowed


def raw_name(kind: int, data: bytes) -> bytes:
    """Return the 20 bytes of an object's name."""
    return hashlib.sha1(b"%s %d\0" % (NAMES[kind], len(data)) + data, usedforsecurity=False).digest()
