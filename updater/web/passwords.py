"""Users as `htpasswd -B` writes them, and whether a password is theirs. Blocking: a check takes as long as its cost says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import bcrypt

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_USERS: Final = 10_000
LARGEST: Final = 4 * 1024 * 1024
LONGEST_PASSWORD: Final = 72  # bcrypt reads no more: a longer one would be equal to all that begin alike
LONGEST_NAME: Final = 256
HIGHEST_COST: Final = 14  # each step doubles the time of a check
_HASH: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}([./A-Za-z0-9])[./A-Za-z0-9]{31}")
_ENDS_OF_SALT: Final = frozenset(".Oeu")  # 128 bits in letters of 6: the last one has two
#: of no password that anybody has: who is no user costs as much time as one who is
_NOBODY: Final = "$2b$10$abcdefghijklmnopqrstuuH5E0NNbW9J1zH3r0n1dLZp2gQ8h9s5G"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTable:
    """Users and the hashes of their passwords. *problems* say which lines cannot be used; they never repeat a line."""

    hashes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    problems: tuple[str, ...] = ()


def read_users(text: str) -> UserTable:
    """Read the lines of an htpasswd file; a line that is no user of bcrypt is a problem, and the others count."""
    hashes: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text[:LARGEST].splitlines(), start=1):
        row = line.strip()
        if not row or row.startswith("#"):
            continue
        name, _, hashed = row.partition(":")
        if why := _fault(name, hashed, hashes):
            problems.append(f"line {number}: {why}")
        else:
            hashes[name] = hashed
    return UserTable(hashes=MappingProxyType(hashes), problems=tuple(problems))


def _fault(name: str, hashed: str, known: Mapping[str, str]) -> str:
    found = _HASH.fullmatch(hashed)
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        return "the name is empty, too long or not printable"
    if found is None:
        return "the password is not hashed by bcrypt; write the line with htpasswd -B"
    if not 4 <= int(found[1]) <= HIGHEST_COST:
        return f"the cost of the hash is not between 4 and {HIGHEST_COST}"
    if found[2] not in _ENDS_OF_SALT:
        return "the salt of the hash is damaged; write the line with htpasswd -B"
    if name in known:
        return "the user is defined before"
    return "" if len(known) < MOST_USERS else f"there are more than {MOST_USERS} users"


def is_password(users: UserTable, name: str, password: str) -> bool:
    """Return whether *password* is that of the user *name*, in the same time whether there is such a user or not."""
    hashed = users.hashes.get(name)
    raw = password.encode("utf-8", "surrogatepass")
    is_possible = 0 < len(raw) <= LONGEST_PASSWORD and b"\x00" not in raw
    try:
        is_right = bcrypt.checkpw(raw if is_possible else b"none", (hashed or _like(users)).encode())
    except ValueError:  # a hash that bcrypt cannot read is that of nobody
        return False
    return is_right and is_possible and hashed is not None


def _like(users: UserTable) -> str:
    """Return a hash of nobody that costs what those of the users cost."""
    first = next(iter(users.hashes.values()), _NOBODY)
    return f"{first[:7]}{_NOBODY[7:]}"
