"""How a commit spec names the key in a Secret that signs its commits: ``secret:namespace/name#gpg``, or ``#ssh``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: the fields of a Secret by the kind of its key: of the key itself, and of its passphrase
FIELDS: Final = {"gpg": ("git.asc", "passphrase"), "ssh": ("identity", "password")}
_NAME: Final = "[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_FORM: Final = re.compile(rf"secret:({_NAME})/({_NAME})#(gpg|ssh)")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of the *kind* ``gpg`` or ``ssh`` in the Secret *name*; its text is what `CommitSpec.signing` holds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"secret:{self.namespace}/{self.name}#{self.kind}"


def read_signing_key(text: str) -> SigningKey | None:
    """Return the key in a Secret that *text* names, None where it names none: then the configuration says who signs."""
    found = _FORM.fullmatch(text)
    return SigningKey(found[3], found[1], found[2]) if found else None
