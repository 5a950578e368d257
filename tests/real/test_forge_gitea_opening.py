"""A real Gitea sets labels, reviewers and assignees by the request that opens a pull request."""

from __future__ import annotations

import pytest

from tests.real.test_forge_gitea import TEXT, forge, opened, refused
from updater.forge.base import ProposalWishes

__all__ = ["forge"]
pytestmark = [pytest.mark.real, pytest.mark.gitea, pytest.mark.xdist_group("gitea")]


async def test_all_that_is_wished_for_is_set_at_once_and_strangers_open_nothing(forge, on_gitea):
    owner = on_gitea.gitea.owner.name
    on_gitea.repository.api("POST", "labels", {"name": "there", "color": "#00aabb"})
    wishes = ProposalWishes(labels=("there", "new"), reviewers=(owner,), assignees=(owner,))
    for strange in (ProposalWishes(reviewers=("nobody-there",)), ProposalWishes(assignees=("nobody-there",))):
        assert await refused(opened(forge, wishes=strange)) in {"forge-protocol", "forge-not-found"}
    made = await opened(forge, wishes=wishes)
    pull = on_gitea.repository.api("GET", "pulls/1")
    assert (made.number, made.labels, made.undone) == (1, {"there", "new"}, frozenset())
    assert [user["login"] for user in pull["requested_reviewers"]] == [owner]
    assert [user["login"] for user in pull["assignees"]] == [owner]
    await forge.close(1, TEXT)
    for label in on_gitea.repository.api("GET", "labels"):
        on_gitea.repository.api("DELETE", f"labels/{label['id']}")
    again = await opened(forge, wishes=wishes)
    assert (again.labels, again.undone) == (frozenset(), {"labels"})  # it is said, and the next one makes them again
    await forge.add_labels(again.number, wishes.labels)
    assert (await forge.get(again.number)).labels == {"there", "new"}
