"""Pushes to branches, as GitHub, Gitea, Forgejo, GitLab and Bitbucket send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.model.webhook import BranchPush
from updater.web.webhooks.base import WebhookReceiver, list_at, text_at
from updater.web.webhooks.signatures import shown, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.web.webhooks.base import WebhookDelivery

_BRANCH: Final = "refs/heads/"
MOST_CHANGES: Final = 100


def read_push(document: Any) -> Iterator[BranchPush]:
    """Read the push event of GitHub, Gitea and Forgejo."""
    urls = [text_at(document, "repository", name) for name in ("clone_url", "ssh_url", "html_url")]
    yield from _pushed(urls, text_at(document, "ref"))


def _read_gitlab(document: Any, delivery: WebhookDelivery) -> Iterator[BranchPush]:
    """Read a push event; a project tells of no image that was pushed to its registry."""
    if delivery.header("x-gitlab-event") in {"Push Hook", "System Hook"} and text_at(document, "object_kind") == "push":
        urls = [text_at(document, "project", name) for name in ("git_http_url", "git_ssh_url", "web_url")]
        yield from _pushed(urls, text_at(document, "ref"))


def _read_bitbucket(document: Any, delivery: WebhookDelivery) -> Iterator[BranchPush]:
    """Read repo:push of Bitbucket Cloud and repo:refs_changed of Bitbucket Data Center."""
    event, repository = delivery.header("x-event-key"), "repository"
    if event == "repo:push":
        urls = [text_at(document, repository, "links", "html", "href")]
        for change in list_at(document, "push", "changes")[:MOST_CHANGES]:
            if text_at(change, "new", "type") == "branch":
                yield from _pushed(urls, _BRANCH + text_at(change, "new", "name"))
    elif event == "repo:refs_changed":
        urls = [text_at(link, "href") for link in list_at(document, repository, "links", "clone")]
        for change in list_at(document, "changes")[:MOST_CHANGES]:
            yield from _pushed(urls, text_at(change, "ref", "id"))


def _pushed(urls: list[str], ref: str) -> Iterator[BranchPush]:
    named = tuple(url for url in urls if url)
    if named and ref.startswith(_BRANCH) and len(ref) > len(_BRANCH):
        yield BranchPush(urls=named, branch=ref.removeprefix(_BRANCH))


GITLAB = WebhookReceiver(verifier=shown("x-gitlab-token"), read=_read_gitlab)
BITBUCKET = WebhookReceiver(verifier=signed("x-hub-signature-256", "x-hub-signature", prefix="sha256="), read=_read_bitbucket)
