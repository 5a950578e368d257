"""Functions of Flux and Argo CD Image Updater that are refused in a message, and what to use instead.

A message is made from what was decided, and is the same each time it is made; so nothing here may ask the clock,
chance, the network or the machine, and nothing makes secrets.
"""

from __future__ import annotations

from typing import Final

_CLOCK: Final = "the commit itself has the time"
_CHANCE: Final = "a message is the same each time it is made; remove it"
_SECRETS: Final = "secrets do not belong in a message; remove it"
_MACHINE: Final = "put the value into the values of the message, and name it as .Values.name"

REFUSED: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *("ago", "date", "dateInZone", "dateModify", "date_in_zone", "date_modify", "duration", "durationRound", "htmlDate"),
            *("htmlDateInZone", "mustDateModify", "mustToDate", "must_date_modify", "now", "toDate", "unixEpoch"),
        ),
        _CLOCK,
    ),
    **dict.fromkeys(
        ("randAlpha", "randAlphaNum", "randAscii", "randBytes", "randInt", "randNumeric", "shuffle", "uuidv4"),
        _CHANCE,
    ),
    **dict.fromkeys(
        (
            *(
                "bcrypt",
                "buildCustomCert",
                "decryptAES",
                "derivePassword",
                "encryptAES",
                "genCA",
                "genCAWithKey",
                "genPrivateKey",
            ),
            *("genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey", "htpasswd"),
        ),
        _SECRETS,
    ),
    **dict.fromkeys(("env", "expandenv", "getHostByName"), _MACHINE),
    "call": "no value here is a function; name the function itself",
    "hello": "write the text itself",
}
