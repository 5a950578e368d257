"""Two updates that never were, on which a message template is tried before a commit needs it.

A template that names a field that is not there parses, and fails at the first commit. Whoever reads one from outside
tries it here first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.model.image import ImageRef, parse_ref
from updater.model.subscription import GitBranch, Locator, Target
from updater.model.update import Change, Update
from updater.model.view import Part, PartKind, Reading
from updater.model.written import Written
from updater.writeback.message import message_template
from updater.writeback.message_data import APPLICATION, message_data

if TYPE_CHECKING:
    from collections.abc import Mapping

_BRANCH: Final = GitBranch(url="https://git.example.org/fleet.git", branch="main")
_PATH: Final = "apps/web/deployment.yaml"
_OBJECT: Final = ("apps/v1", "Deployment", "web", "web")


def try_message(text: str, values: Mapping[str, str] | None = None, *, owner: str = "") -> None:
    """Render *text* as the message of a commit of two images; raise `TemplateError` with the place in the template.

    A field that a peer once had and took out ends in the code ``template-removed-field``.
    """
    made = _made("web", "ghcr.io/example/web:1.0.0", "1.1.0"), _made("api", "ghcr.io/example/api:2.0.0", "2.0.1")
    changes: Mapping[Update, tuple[Change, ...]] = {update: (_change(update),) for update in made}
    message_template(text).render(message_data(made, changes, values, owner=owner))


def _made(alias: str, old: str, tag: str) -> Update:
    before = parse_ref(old)
    image = ImageRef(name=before.name, tag=tag)
    reading = Reading(
        path=_PATH,
        where="spec.template.spec.containers[0].image",
        line=7,
        setter=f"flux-system:{alias}",
        parts=(Part(kind=PartKind.REFERENCE, line=7, where="image", text=old),),
        written=Written(name=before.name.spelled, tag=before.tag),
    )
    return Update(
        subscription=f"argocd/web/{alias}",
        target=Target(destination=_BRANCH, editor="marker", locator=Locator()),
        reading=reading,
        image=image,
        written_as=image,
        policy="semver ^1.0",
        origin=f"{APPLICATION} argocd/web",
    )


def _change(update: Update) -> Change:
    reading = update.reading
    old, new = reading.parts[0].text, str(update.image)
    return Change(
        path=reading.path, line=reading.line, where=reading.where, old=old, new=new, setter=reading.setter, object_id=_OBJECT
    )
