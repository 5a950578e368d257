"""How an automation asks for a pull request by our annotation: one for the automation, whatever it writes.

Flux itself pushes to a branch and leaves the rest to people or to push options of the server. Here ``git.push.branch`` names the
branch that is proposed from, and the branch that is checked out the one to merge into.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from updater.documents.members import mapping_in
from updater.errors import ConfigError
from updater.model.publishing import ProposalScope
from updater.settings.annotated import PROPOSAL, read_annotated_proposal
from updater.settings.annotation_keys import is_known
from updater.settings.proposals import ProposalPlace, ProposalSettings, proposal_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from updater.flux.request.destinations import PushRequest
    from updater.kube.kinds import Key
    from updater.model.subscription import GitBranch

AT: Final = ("metadata", "annotations", PROPOSAL)
NO_DEFAULTS: Final = ProposalSettings()


def read_proposal(metadata: Mapping[str, Any]) -> ProposalSettings | None:
    """Return what the annotation of an automation asks for, None for no pull request; raise `ConfigError`."""
    annotations = mapping_in(metadata, "annotations")
    prefix, _, name = PROPOSAL.rpartition("/")
    ours = [key.removeprefix(f"{prefix}/") for key in annotations if key.startswith(f"{prefix}/") and key != PROPOSAL]
    ours = [own for own in ours if not is_known(own)]
    if meant := get_close_matches(name, ours, n=1):
        # what was meant as a pull request must not become a push to the branch
        raise ConfigError(f"{prefix}/{meant[0]} is not known", hint=f"did you mean {name!r}?", code="unknown-key")
    if PROPOSAL not in annotations:
        return None
    asked = read_annotated_proposal(annotations[PROPOSAL])
    if asked is not None and (asked.per is not None or asked.group is not None):
        message = "an automation is one pull request, and per and group have no meaning here"
        raise ConfigError(message, hint="take them out; use an automation for each pull request", code="conflict")
    return asked


def proposed(branch: GitBranch, push: PushRequest, key: Key, asked: ProposalSettings, defaults: ProposalSettings) -> GitBranch:
    """Return *branch* with the pull request that the automation *key* asks for; raise `ConfigError` and `TemplateError`."""
    if branch.ref is not None or not branch.branch:
        hint = "write git.checkout.ref.branch"
        raise ConfigError("what is checked out is no branch, so nothing can be merged into it", hint=hint, code="proposal-branch")
    if push.refspec or push.options:
        what = "git.push.refspec" if push.refspec else "git.push.options"
        raise ConfigError(f"{what} has no meaning with a pull request", hint="take one of them out", code="conflict")
    name = "/".join(key)
    own = asked.model_copy(update={"per": ProposalScope.GROUP, "group": name})
    made = proposal_of(own, defaults, ProposalPlace(key=name, base=branch.branch, namespace=key[0]))
    is_named = asked.branch is None and push.branch not in {"", branch.branch}
    return replace(branch, publishing=replace(made, name=push.branch) if is_named else made)
