"""How a discovery becomes a commented configuration: one subscription an image, each with its reason and its places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from updater.discovery.guess import policy_for
from updater.documents.roundtrip import Commented, dump

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.discovery.found import Discovery, FoundImage, FoundTarget

HEAD = """Configuration of updater, drafted by `updater init` from what this repository holds. Read it before you use it.
  updater validate                       checks it
  updater once --dry-run -o diff         shows what would be committed
  updater once                           commits and pushes
A secret is never written here: use env:VARIABLE, file:/path or ext:/program."""
_OWN_NAME = "give the program a name of its own, to tell its commits from yours"
_NOBODY = """\
# required once something is written to Git:
# git:
#   author: {name: "image updates", email: images@example.org}
"""
EXAMPLE = """\
#  - key: shop
#    image: ghcr.io/acme/shop
#    policy: {semver: {range: "^1"}}
#    targets:
#      - git: {url: "https://git.example.org/fleet.git", branch: main}
#        marker: fleet:shop  # every value with the comment  # {"$imagepolicy": "fleet:shop"}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftOptions:
    """Where the repository is pushed, who commits, and by which reference the server is reached ("" for none).

    *author_from* says where the author was found, "" where the person at the command line named it.
    """

    url: str
    branch: str
    author: str
    email: str
    credentials: str = ""
    author_from: str = ""


def draft(found: Discovery, options: DraftOptions) -> str:
    """Return the text of a configuration for everything in *found*, whose images all have a policy; see `with_policies`."""
    values: dict[str, Any] = {"interval": "2m"}
    comments = {"interval": "how often registries and branches are checked"}
    if options.author and options.email:
        values["git"] = _git(options)
        comments["git"] = "who commits, and how the server is reached"
        if options.author_from:
            comments["git"] += f"; this author is from {options.author_from}:\n{_OWN_NAME}"
    if found.applications:
        values["sources"] = [Commented({"applications": Commented({"namespaces": sorted(found.applications)}, is_flow=True)})]
        comments["sources"] = "Argo CD Applications and ImageUpdaters were found: their annotations are followed in the cluster"
    values["subscriptions"] = [_subscription(image, options) for image in found.images]
    comments["subscriptions"] = _about_subscriptions(found)
    text = dump(Commented(values, _spaced(comments)), head="\n".join((HEAD, *_remarks(found))))
    if found.images or found.applications:
        return text
    return text + EXAMPLE + ("" if "git" in values else f"\n{_NOBODY}")


def _about_subscriptions(found: Discovery) -> str:
    if found.images:
        return "one entry for each image"
    if found.applications:
        return "images besides those that Applications list"
    return "one entry for each image; none was found: take out the [], and the # of this example"


def with_policies(found: Discovery) -> Discovery:
    """Return *found* with a policy for each image. An image for which none can be derived becomes a remark.

    A guess there could move a mutable tag such as ``edge`` to whatever sorts highest.
    """
    kept, remarks = [], list(found.remarks)
    for image in found.images:
        policy, reason = (image.policy, image.reason) if image.policy else policy_for(image.written.tag)
        if policy is None:
            places = ", ".join(target.place for target in image.targets)
            remarks.append(f"{places}: {image.image} was left out: {image.reason or reason}")
        else:
            kept.append(replace(image, policy=policy, reason=reason))
    return replace(found, images=kept, remarks=remarks)


def _remarks(found: Discovery) -> Iterator[str]:
    if found.remarks:
        yield ""
        yield "Not taken over, or left for you:"
        yield from (f"  - {remark}" for remark in found.remarks)


def _spaced(comments: dict[str, str]) -> dict[str, str]:
    """Put an empty line before each comment but the first."""
    return {key: text if number == 0 else f"\n{text}" for number, (key, text) in enumerate(comments.items())}


def _git(options: DraftOptions) -> Commented:
    values: dict[str, Any] = {"author": Commented({"name": options.author, "email": options.email}, is_flow=True)}
    if options.credentials:
        entry = Commented({"prefix": options.url, "credentials": options.credentials}, is_flow=True)
        values["repositories"] = [entry]
    return Commented(values)


def _subscription(image: FoundImage, options: DraftOptions) -> Commented:
    values: dict[str, Any] = {
        "key": image.key,
        "image": image.image,
        "policy": Commented({kind: Commented(rules, is_flow=True) for kind, rules in (image.policy or {}).items()}, is_flow=True),
    }
    if image.tag_filter:
        values["filter"] = Commented(image.tag_filter, is_flow=True)
    values["targets"] = [_target(target, options) for target in image.targets]
    written = str(image.written).removeprefix(f"{image.image}:")
    return Commented(values, beside={"image": f"{written} is written", "policy": image.reason})


def _target(target: FoundTarget, options: DraftOptions) -> Commented:
    branch: dict[str, Any] = {"url": options.url, "branch": options.branch}
    if target.path:
        branch["path"] = target.path
    rules = target.options if isinstance(target.options, str) else Commented(target.options, is_flow=True)
    return Commented({"git": Commented(branch, is_flow=True), target.editor: rules}, beside={target.editor: target.place})
