"""How an annotation asks for pull requests: ``true``, ``false``, or the keys of the setting as YAML or JSON on one line."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from updater.documents import DocumentLimits, Mark, read_yaml
from updater.errors import ConfigError
from updater.settings.decisions import ANNOTATION_PREFIX
from updater.settings.problems import problems_of
from updater.settings.proposals import ProposalSettings

#: the annotation of an object as a whole; for one image of an Application its alias stands before the name
PROPOSAL: Final = f"{ANNOTATION_PREFIX}proposal"
_LIMITS: Final = DocumentLimits(size=16 * 1024, depth=4, nodes=1000)
_HINT: Final = "write true, or keys of the setting in braces: {labels: [images], draft: true}"


def read_annotated_proposal(value: Any) -> ProposalSettings | None:
    """Return what the text of an annotation asks for, None for ``false``; raise `ConfigError` for what is wrong first."""
    if not isinstance(value, str):
        raise ConfigError("expected a text", hint="put the value in quotes", code="wrong-type")
    found = read_yaml("", value.encode(errors="surrogatepass"), caps=_LIMITS)
    if found.problems or len(found.documents) != 1:
        first = next(iter(found.problems), None)
        said = first.message if first else "the value is empty, or several documents"
        raise ConfigError(said, hint=(first.hint if first else "") or _HINT, code=first.code if first else "wrong-type")
    asked = found.documents[0].value
    if isinstance(asked, bool):
        return ProposalSettings() if asked else None
    if not isinstance(asked, dict):
        raise ConfigError("expected true, false or a mapping", hint=_HINT, code="wrong-type")
    try:
        return ProposalSettings.model_validate(asked)
    except ValidationError as error:
        first = problems_of(error, Mark(0, "", {}), ProposalSettings)[0]
        raise ConfigError(first.message, hint=first.hint or _HINT, code=first.code) from None
