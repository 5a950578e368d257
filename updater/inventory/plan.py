"""The shape of a plan: which images and destinations are due, how often, and who waits for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When what is due: seconds by image and by destination, and which destinations wait for which image.

    *rebuilt* are the destinations whose branch is made anew from its base at each landing: they never land
    before each of their images was scanned or failed.
    """

    images: Mapping[ScanKey, float]
    destinations: Mapping[Destination, float]
    waiting: Mapping[ScanKey, tuple[Destination, ...]]
    rebuilt: frozenset[Destination] = frozenset()
