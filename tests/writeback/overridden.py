"""A subscription that is written into the override file of an Application, and one landing of it without the engine."""

from __future__ import annotations

import dataclasses

from tests.engine.making import chosen, subscription
from updater.engine.decide import decide
from updater.model.subscription import GitBranch, Locator, Origin, Target
from updater.model.update import Commit

PATH = "apps/.argocd-source-web.yaml"


async def unsigned(_name):
    """Sign nothing, whatever a commit spec names."""


def wanted(url, *, branch="main", **names):
    """Return the subscription that writes its tag on *branch* of *url*; *names* are of the destination."""
    locator = Locator(path=PATH, tag="image.tag", section="helm")
    target = Target(destination=GitBranch(url=url, branch=branch, **names), editor="argocd_source", locator=locator)
    item = subscription("argocd/web/web", "ghcr.io/o/app", target)
    return dataclasses.replace(item, origin=Origin(kind="Application", name="argocd/web"))


async def land(writer, item, tag="1.2.3"):
    """Look, decide for *tag*, and write what differs; None where nothing does."""
    view = await writer.look(item.targets[0].destination, [item])
    (reading,) = view.readings[item.key, 0]
    (decision,) = decide(view, [item], {(item.key, reading.written): chosen(tag)})
    if not decision.updates:
        return None
    return await writer.write(view, [Commit(commit_spec=item.targets[0].commit_spec, updates=decision.updates)], is_dry=False)
