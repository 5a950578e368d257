"""How what people decided is read, read again when it changed, and noticed when it ends; a file, or a ConfigMap.

What cannot be read for a moment stays in force as it was. What was never read, or is known to be damaged, holds everything
that it could name: nothing is written because a hold got lost.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from updater.errors import ConfigError, KubeDenied, KubeError, KubeGone
from updater.model.decision import UNREADABLE, Hold, Readmission
from updater.model.problem import Problem
from updater.settings.values import CONFIG_MAP
from updater.sources.holds import ORIGIN, HoldsReading, read_holds, read_holds_file, unreadable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from updater.daemon.process import Process
    from updater.inventory.inventory import Inventory
    from updater.model.decision import Decision
    from updater.model.subscription import Destination

LOOK_EVERY: Final = 2.0
ASK_EVERY: Final = 10.0
STILL_FOR: Final = 0.3  # an editor that writes in place has come to its end
MOST_STIRRINGS: Final = 20
DATA_KEY: Final = "holds.yaml"


class HoldsPlace(Protocol):
    """Where decisions stand. *every* is how many seconds lie between two looks."""

    every: float

    async def read(self) -> HoldsReading:
        """Read what stands there; never raise."""
        ...

    async def has_changed(self) -> bool:
        """Return whether it should be read again."""
        ...


class HoldsFile:
    """A file. One that was emptied keeps what it said, as a configuration does: a shell empties a file before it writes it.

    *said* is what each file said last; who shares it with those before does not forget that when a configuration is loaded again.
    """

    every = LOOK_EVERY

    def __init__(self, path: Path, said: dict[Path, HoldsReading] | None = None) -> None:
        self._path = path
        self._stamp: tuple[int, ...] | None = None
        self._said = {} if said is None else said

    async def read(self) -> HoldsReading:
        """Read the file once it is still; what is changed while it is read is read again."""
        found = HoldsReading()
        for _ in range(MOST_STIRRINGS):
            self._stamp = await asyncio.to_thread(_stamp, self._path)
            if self._stamp is not None and time.time_ns() - self._stamp[3] <= STILL_FOR * 1e9:
                await asyncio.sleep(STILL_FOR)
            found = await asyncio.to_thread(read_holds_file, self._path)
            if await asyncio.to_thread(_stamp, self._path) == self._stamp:
                break  # else it was written meanwhile, perhaps emptied just before it was read
        last = self._said.get(self._path, HoldsReading()).decisions
        if self._stamp is not None and self._stamp[2] == 0 and (last.by_key or last.for_all):
            hint = "what it said stays in force until it is written; write {} or remove the file to release all"
            problem = Problem(
                path=str(self._path), code="empty", message="there is nothing in the file", hint=hint, origin=ORIGIN
            )
            return HoldsReading(decisions=last, problems=(problem,))
        self._said[self._path] = found
        return found

    async def has_changed(self) -> bool:
        """Return whether the file is another one; one that is gone must be gone for a moment, as editors rename."""
        now = await asyncio.to_thread(_stamp, self._path)
        if now is None and self._stamp is not None:
            await asyncio.sleep(STILL_FOR)
            now = await asyncio.to_thread(_stamp, self._path)
        return now != self._stamp


class HoldsConfigMap:
    """The text below `DATA_KEY` in a ConfigMap; *get* reads it."""

    every = ASK_EVERY

    def __init__(self, namespace: str, name: str, get: Callable[[str, str], Awaitable[Mapping[str, object]]]) -> None:
        self._namespace, self._name, self._get = namespace, name, get
        self._text: str | None = None
        self._last: HoldsReading | None = None

    @property
    def _shown(self) -> str:
        return f"ConfigMap {self._namespace}/{self._name}"

    async def read(self) -> HoldsReading:
        """Ask for the ConfigMap; one that does not exist decides nothing."""
        await self.has_changed()
        return self._last or HoldsReading()

    async def has_changed(self) -> bool:
        """Ask for the ConfigMap, and return whether what it says is another thing than before."""
        before = self._last
        try:
            self._last = self._read(await self._get(self._namespace, self._name))
        except KubeGone:
            self._text, self._last = None, HoldsReading()
        except (KubeError, ConfigError) as error:
            if self._last is None or isinstance(error, KubeDenied):
                self._text = None
                problem = Problem(path=self._shown, code=UNREADABLE, message=error.message, hint=error.hint)
                self._last = unreadable(problem)
        return before != self._last

    def _read(self, item: Mapping[str, object]) -> HoldsReading:
        data = item.get("data")
        text = data.get(DATA_KEY) if isinstance(data, dict) else None
        if not isinstance(text, str):
            self._text = None
            return HoldsReading()
        if text != self._text or self._last is None:
            self._text = text
            return read_holds(f"{self._shown} {DATA_KEY}", text.encode("utf-8", "surrogatepass"))
        return self._last


def holds_place(holds: str, process: Process) -> HoldsPlace:
    """Return where the setting *holds* says that decisions stand."""
    if not holds.startswith(CONFIG_MAP):
        return HoldsFile(Path(holds), process.holds_said)
    namespace, _, name = holds.removeprefix(CONFIG_MAP).partition("/")

    async def get(namespace: str, name: str) -> Mapping[str, object]:
        from updater.kube.kinds import CONFIG_MAP as KIND  # noqa: PLC0415 - who has no cluster need not import it
        from updater.kube.kinds import Ref  # noqa: PLC0415

        return await process.cluster.client.get(Ref(KIND, namespace, name))

    return HoldsConfigMap(namespace, name, get)


def _nobody(_destination: Destination) -> None:
    return


@dataclass(slots=True, kw_only=True)
class DecisionWatch:
    """Follows decisions for one inventory.

    *put* takes a reading up, *wake* lands a destination whose decisions ended. *wall* gives Unix seconds.
    """

    place: HoldsPlace
    asked: Inventory
    process: Process
    put: Callable[[HoldsReading], None]
    wake: Callable[[Destination], None] = _nobody
    wall: Callable[[], float] = time.time
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    looked_at: float = -math.inf
    was_cut_short: bool = False

    async def look(self) -> None:
        """Take up what is decided by now; many who ask at one time share one look.

        One that is cancelled, because its caller waited long enough, is made up for by the next.
        """
        clock = asyncio.get_running_loop().time
        asked_at = clock()
        async with self.looking:
            if self.looked_at > asked_at:
                return
            began, is_owed, self.was_cut_short = clock(), self.was_cut_short, True
            if await self.place.has_changed() or is_owed:
                self.put(await self.place.read())
            self.looked_at, self.was_cut_short = began, False

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        last, seen = self.wall(), None
        told: set[Decision] = set(self._told())
        ends: list[tuple[float, str]] = []
        next_look = last + self.place.every
        while True:
            await asyncio.sleep(min(LOOK_EVERY, self.place.every))
            now = self.wall()
            if now >= next_look or now < last:
                await self.look()
            next_look = next_look if last <= now < next_look else now + self.place.every
            if seen is not self.asked.snapshot:
                seen = self.asked.snapshot
                ends = [
                    (item.until, each.key) for each in seen.subscriptions for item in each.decisions if item.until is not None
                ]
                told = self._tell(told)
            self._end({key for until, key in ends if last < until <= now})
            last = now

    def _told(self) -> Iterable[Decision]:
        decided = (item for each in self.asked.snapshot.subscriptions for item in each.decisions)
        return (item for item in decided if not isinstance(item, Readmission) and item.key)

    def _tell(self, before: set[Decision]) -> set[Decision]:
        """Log what was decided since, and what was taken back."""
        now = set(self._told())
        for item in sorted(now - before, key=lambda item: (item.key, item.code)):
            code = UNREADABLE if isinstance(item, Hold) and item.is_unread else item.code
            self.process.log.info("decided", key=item.key, code=code, detail=item.sentence, where=item.where)
        for item in sorted(before - now, key=lambda item: (item.key, item.code)):
            self.process.log.info("released", key=item.key, code=item.code, detail=f"no longer: {item.sentence}")
        return now

    def _end(self, keys: set[str]) -> None:
        """Land the destinations of subscriptions with a decision that ended."""
        if not keys:
            return
        for each in self.asked.snapshot.subscriptions:
            if each.key in keys:
                self.process.log.info("decision ended", key=each.key)
                for target in each.targets:
                    self.wake(target.destination)


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
