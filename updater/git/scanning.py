"""How many files of a pack are searched for needles at once: whole ones in pieces, deltas along their chains."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from updater.git.inflation import Chains, Survey, inflate, raw_name, read_header, resolved, result_size
from updater.git.limits import exceeded
from updater.git.objects import BLOB, NAMES
from updater.git.sieve import Sought

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from updater.git.inflation import Contents, Header
    from updater.git.limits import Bounds


class Scan:
    """One search of the blobs *left* for *needles*, over as many packs as it takes."""

    def __init__(self, left: set[str], needles: Collection[bytes], bounds: Bounds) -> None:
        self.left = left
        self._needles = needles
        self._bounds = bounds
        self._read = 0

    def of_pack(self, pack: Any) -> Iterator[tuple[str, bool]]:
        """Yield every blob of *pack* that is left, and whether a needle is in it; raise `GitError` ``git-limit``."""
        contents: Contents = pack.data._buffer()  # noqa: SLF001 - nothing public gives it
        survey = Survey()
        for name in [name for name in self.left if name.encode() in pack]:
            offset: int | None = pack.index.object_offset(bytes.fromhex(name))
            header = read_header(contents, offset or 0)
            self._count(result_size(contents, header))
            if header.base is None:
                yield from self._found(*self._searched(contents, header))
            while offset is not None:
                offset = _note(contents, survey, offset, pack)
        with self._bounds.memory(survey.memory):
            for _, kind, data in resolved(survey, Chains(contents, survey, self._bounds.limits)):
                is_hit = kind != BLOB or any(needle in data for needle in self._needles)
                yield from self._found(raw_name(kind, data), is_hit)

    def _found(self, raw: bytes, is_hit: bool) -> Iterator[tuple[str, bool]]:  # noqa: FBT001 - a row of an answer
        if (name := raw.hex()) in self.left:
            self.left.remove(name)
            yield name, is_hit

    def _count(self, size: int) -> None:
        self._read += size
        most = self._bounds.limits.search
        if self._read > most:
            raise exceeded("search", "the files that a search has to read are too many or too large", most)

    def _searched(self, contents: Contents, header: Header) -> tuple[bytes, bool]:
        kind = BLOB if header.kind is None else header.kind
        name = hashlib.sha1(b"%s %d\0" % (NAMES[kind], header.size), usedforsecurity=False)
        sought = Sought(self._needles)

        def take(data: bytes) -> None:
            name.update(data)
            sought.take(data)

        inflate(contents, header, take)
        return name.digest(), kind != BLOB or sought.is_found


def _note(contents: Contents, survey: Survey, offset: int, pack: Any) -> int | None:
    """Note the delta at *offset* and give where its base stands; None where there is nothing to note."""
    header = read_header(contents, offset)
    if header.base is None or offset in survey.checks:
        return None
    base = header.base if isinstance(header.base, int) else int(pack.index.object_offset(header.base))
    size = result_size(contents, header)
    survey.add_delta(offset, base)
    survey.checks[offset] = 0
    survey.largest, survey.total = max(survey.largest, size, header.size), survey.total + size + header.size
    return base
