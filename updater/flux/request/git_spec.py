"""What ``git`` of an ImageUpdateAutomation means, over the GitRepository that it names: what is read, written and said.

Source: the API of image.toolkit.fluxcd.io/v1 and source.toolkit.fluxcd.io/v1. The objects are as the API server gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError
from updater.model.checkout_ref import read_checkout_ref
from updater.model.publishing import Direct, PushBranch, read_push_options, read_refspec
from updater.model.subscription import CommitSpec, GitBranch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.subscription import CredentialRef

DEFAULT_MESSAGE: Final = "Update from image update automation"
_SHORT: Final = 7
_PUSH_HINT: Final = "write spec.git.push.branch, or name a branch in spec.git.checkout.ref or in the ref of the GitRepository"


def read_destination(
    git: Mapping[str, Any], repository: Mapping[str, Any], *, credential: CredentialRef | None = None
) -> GitBranch:
    """Return where an automation reads and writes; *git* is its ``spec.git``, *repository* the ``spec`` of the GitRepository.

    A ``ref`` of the automation replaces that of the GitRepository whole. Raises `ConfigError`: ``push-branch-missing`` where no
    branch can be pushed, ``checkout-ref``, ``push-refspec`` and ``push-options``.
    """
    given = _mapping(_mapping(git.get("checkout")).get("ref")) or _mapping(repository.get("ref"))
    branch, ref = read_checkout_ref({name: str(value) for name, value in given.items() if value})
    push = _mapping(git.get("push"))
    written = str(push.get("branch") or given.get("branch") or (branch if given else ""))
    if not written:
        message = "no branch to push is named, and the ref that is checked out is no branch"
        raise ConfigError(message, hint=_PUSH_HINT, code="push-branch-missing")
    also = read_refspec(str(push["refspec"]), written) if push.get("refspec") else ""
    options = read_push_options({name: str(value) for name, value in _mapping(push.get("options")).items()})
    is_direct = ref is None and written == branch
    publishing = Direct(also, options) if is_direct else PushBranch(written, also, options)
    return GitBranch(url=str(repository.get("url") or ""), branch=branch, publishing=publishing, credential=credential, ref=ref)


def read_commit_spec(git: Mapping[str, Any], *, owner: str, signing: str = "") -> CommitSpec:
    """Return how an automation, by namespace and name its *owner*, commits; *signing* names the key."""
    commit = _mapping(git.get("commit"))
    author = _mapping(commit.get("author"))
    values = _mapping(commit.get("messageTemplateValues"))
    return CommitSpec(
        name=str(author.get("name") or ""),
        email=str(author.get("email") or ""),
        message=str(commit.get("messageTemplate") or DEFAULT_MESSAGE),
        values=tuple(sorted((str(name), str(value)) for name, value in values.items())),
        signing=signing,
        owner=owner,
    )


def push_summary(revision: str, branch: str, message: str, *, refspec: str = "") -> str:
    """Return the words of the peer's condition and Event on a commit that was pushed."""
    also = f" and refspecs '{refspec}'" if refspec else ""
    return f"pushed commit '{revision[:_SHORT]}' to branch '{branch}'{also}\n{message}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
