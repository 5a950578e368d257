"""What one scan asks for, and which scan serves a subscription."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from updater.model.image import ImageName
    from updater.model.subscription import CredentialRef, Subscription


@dataclass(frozen=True, slots=True)
class ScanKey:
    """What one scan asks for: an image name, seen with one credential."""

    image: ImageName
    credential: CredentialRef | None

    def __str__(self) -> str:
        return str(self.image)


def scan_key_for(subscription: Subscription) -> ScanKey:
    """Return which scan serves a subscription: all of the same image name and credential share one."""
    return ScanKey(subscription.image, subscription.credential)
