"""Generate the page of annotations from the names that each kind of object reads."""

from __future__ import annotations

from typing import Final

from updater.argocd.request.annotations import OWN, OWN_OF_UPDATER
from updater.settings.annotated import PROPOSAL
from updater.settings.annotation_keys import SUBSCRIPTION_KEYS
from updater.settings.decisions import ANNOTATION_PREFIX
from updater.settings.gate_annotations import GROUP

_HEAD: Final = """# Annotations

Generated from the code by `docs/generate.py`. Every name begins with `image-updater.gitops/`. Annotations of Argo CD Image
Updater are read too: see [Migrate](../how-to/migrate-from-argocd-image-updater.md).

| annotation | value | Application | ImageUpdater | ImagePolicy | ImageUpdateAutomation |
|---|---|---|---|---|---|
"""
_TAIL: Final = """
## For one image, or for all

| object | all images | one image |
|---|---|---|
| Application | `image-updater.gitops/min-age` | `image-updater.gitops/<alias>.min-age` |
| ImageUpdater | `image-updater.gitops/min-age` | `image-updater.gitops/<alias>.min-age` |
| ImagePolicy | `image-updater.gitops/min-age` | – |
| ImageUpdateAutomation | `image-updater.gitops/min-age` | `image-updater.gitops/<policy>.min-age` |

The alias is the one in `image-list` or in the ImageUpdater, the policy the name of an ImagePolicy that the automation selects.
`proposal` of an automation means all that it writes. On an ImageUpdater they count with `useAnnotations` too.

## What counts where several say something

The first of these that says something counts:

1. on an Application: the annotation for the alias, then the one for all images; on an ImagePolicy its annotation
2. on the ImageUpdater that selects the Application, or on the automations that write the policy: likewise
3. the defaults of the configuration file

`none` takes a gate of a lower level away. An automation's annotation counts for the policy, in everything that writes it. If
two automations write one policy and say different things, the policy is held until the annotation stands on the policy itself.

What people decide is not replaced, it adds up: a hold, rejections and readmitted commits of every level count, so that no
decision undoes another one. Two things end a decision of a level below: `hold: "false"` for holds, and a `pin` for pins.
`updater hold`, `pin`, `reject` and `release` write on the Application or the ImagePolicy; `release` names what another
object or `holds.yaml` still holds.

## If an annotation cannot be read

Nobody knows what it was to stop, so nothing is written for the images that it means, and the problem is logged. A name of an
image or policy that is not there is a problem too, and stops nothing.
"""
#: by annotation, what it is about
_VALUES: Final = {
    "hold": '`"true"`, `"false"`, or `{"author":…,"reason":…,"until":…}`: [nothing is written](../how-to/hold-an-update.md)',
    "pin": 'a tag, or `{"tag":…,"reason":…}`: the tag is written and stays',
    "reject": "tags and digests with commas between, or a list of `{tag: …}` and `{digest: …}`: they are not chosen",
    "readmit": "commits of updater that people took back and that may be written again; `updater release` writes it",
    "min-age": "a duration, or `none`: [how old an image has to be](../how-to/wait-three-days.md)",
    "window": "a window, or a list of windows: [when is written](../how-to/freeze-a-friday.md)",
    "max-changes": "`4/h` or `10/d`: how many changes are made",
    "coalesce": "a duration: how long an update waits for others of its destination",
    "follows": "`{subscription: …, healthy_for: 2h}`: [promotion](../how-to/promote-from-staging-to-prod.md)",
    "group": "a name: images of the Application that [move together](../how-to/update-together.md)",
    "workload": "`Rollout/shop/web`: [what runs the image](../explanation/after-the-commit.md#which-workload)",
    "deadline": "a duration: when a release has to be healthy",
    "settle": "a duration: how long a workload has to be healthy",
    "on-bad": "`report`, `hold` or `revert`: [what follows a bad release](../explanation/after-the-commit.md)",
    "proposal": "`true`, `false`, or keys of the setting in braces: [pull requests](../how-to/propose-changes.md)",
    "downgrade": "`never`, `by-policy` or `always`: whether a lower version is written",
    "allow-downgrade": "`true` or `false`: as `downgrade: always` or `never`",
    "variant": "`lock` or `any`: whether suffixes of tags such as `-alpine` stay",
    "form": "`tag`, `digest` or `tag@digest`: what is written",
    "interval": "a duration: how often the image is looked for",
}
#: a group of ImagePolicies is refused with the reason
_OF_FLUX: Final = frozenset(SUBSCRIPTION_KEYS) - {GROUP}
KINDS: Final = {
    "Application": frozenset(OWN),
    "ImageUpdater": frozenset(OWN_OF_UPDATER),
    "ImagePolicy": _OF_FLUX,
    "ImageUpdateAutomation": _OF_FLUX | {PROPOSAL.removeprefix(ANNOTATION_PREFIX)},
}


def annotations_page() -> str:
    """Return the reference of annotations, a row each."""
    rows = [f"| `{name}` | {text} | {' | '.join(_cell(name, kind) for kind in KINDS)} |\n" for name, text in _VALUES.items()]
    return _HEAD + "".join(rows) + _TAIL


def _cell(name: str, kind: str) -> str:
    return "–" if name not in KINDS[kind] else "yes"
