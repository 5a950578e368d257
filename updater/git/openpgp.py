"""OpenPGP signatures of commits, as gpg makes them with ``--detach-sign --armor``; no gpg program is needed.

The library is imported when the first such key is read (docs/decisions/0296).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from updater.git.faults import fault

if TYPE_CHECKING:
    from updater.errors import GitError

_BEGIN: Final = re.compile(rb"^-----BEGIN PGP (?:PRIVATE|PUBLIC) KEY BLOCK-----", re.MULTILINE)
_LOCKED: Final = "encrypted"
_HINT: Final = "export one key by gpg --export-secret-keys --armor, with its passphrase if it has one"


class OpenPgpSigner:
    """Signs by one key, unlocked once: that takes up to half a second, a signature a few milliseconds.

    Raises `GitError` ``signing-key``: the text is no key, holds several or none that may sign now, or is locked.
    """

    def __init__(self, key: bytes, passphrase: str = "") -> None:
        import pysequoia  # noqa: PLC0415 - who signs by SSH or not at all need not load it

        _require_one(key)
        self._library = pysequoia
        try:
            held = pysequoia.Tsk.from_bytes(key)
            public = held.extract_certificate()
        except Exception as error:
            raise _unusable("it cannot be read as an OpenPGP key") from error
        self.fingerprint = str(public.fingerprint).upper()
        self._signer = _unlocked(held, passphrase)

    def sign(self, payload: bytes) -> bytes:
        """See `updater.git.signing.Signer.sign`."""
        try:
            made: bytes = self._library.sign(self._signer, payload, mode=self._library.SignatureMode.DETACHED)
        except Exception as error:
            raise _unusable("it did not make a signature") from error
        return bytes(made).strip()


def _require_one(key: bytes) -> None:
    """Raise `GitError` unless *key* is one block of text with one entity in it."""
    import pysequoia  # noqa: PLC0415 - slow to import, and only OpenPGP signatures need it

    blocks = len(_BEGIN.findall(key))
    if not blocks:
        raise _unusable("it is not an armored OpenPGP key")
    try:
        entities = len(pysequoia.Cert.split_bytes(key))
    except Exception as error:
        raise _unusable("it cannot be read as an OpenPGP key") from error
    if blocks > 1 or entities != 1:
        raise _unusable(f"it holds {max(blocks, entities)} keys, and exactly one is needed")


def _unlocked(held: Any, passphrase: str) -> Any:
    """Return what signs by the key *held*; a *passphrase* that it does not need is not used. Raises `GitError`."""
    try:
        return held.signer()
    except Exception as error:  # noqa: BLE001 - the library has one class of errors, and no narrower one is promised
        if _LOCKED not in str(error).partition("\n")[0]:
            raise _unusable("it has no private key that may sign now: it is public, revoked or has expired") from None
    if not passphrase:
        raise _unusable("it is locked by a passphrase, and none is given")
    try:
        return held.signer(passphrase)
    except Exception:  # noqa: BLE001 - see above
        raise _unusable("the passphrase does not open it") from None


def _unusable(reason: str) -> GitError:
    return fault("signing-key", f"the signing key cannot be used: {reason}", hint=_HINT)
