"""What each ImagePolicy selected last, put beside what is kept of it: a translation reads both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.kube.kinds import Key
    from updater.model.image import ImageRef

    Item = Mapping[str, Any]


class LatestRefs:
    """Returns the very same object for a policy while the policy and what it selected are."""

    def __init__(self) -> None:
        self._made: dict[Key, tuple[Item, ImageRef | None, Item]] = {}

    def added(self, policies: Mapping[Key, Item], latest: Mapping[Key, ImageRef]) -> tuple[Item, ...]:
        """Return each of *policies* with the image of *latest* as its status."""
        before, self._made = self._made, {}
        for key, item in policies.items():
            known, image = before.get(key), latest.get(key)
            if known is None or known[0] is not item or known[1] != image:
                status = {"latestRef": _latest_ref(image)} if image is not None else {}
                known = (item, image, {**item, "status": status})
            self._made[key] = known
        return tuple(made for _, _, made in self._made.values())


def _latest_ref(image: ImageRef) -> dict[str, str]:
    """Return an image as a status names it."""
    found = {"name": image.name.spelled, "tag": image.tag or "", "digest": str(image.digest) if image.digest else ""}
    return {name: text for name, text in found.items() if text}
