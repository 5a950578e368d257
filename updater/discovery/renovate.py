"""What a Renovate configuration says about Docker images: which are left alone, and up to which versions they go.

Source: docs.renovatebot.com, "Configuration Options": packageRules with matchPackageNames, allowedVersions and enabled.
Rules that match by anything else are left out, and said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILES: Final = ("renovate.json", ".renovaterc", ".renovaterc.json", ".github/renovate.json", ".gitlab/renovate.json")
_NAMES: Final = ("matchPackageNames", "packageNames")
_READ: Final = frozenset({*_NAMES, "matchDatasources", "allowedVersions", "enabled", "description"})


@dataclass(slots=True)
class RenovateRules:
    """The rules of one file that hold for images, in order: a later one wins. *remarks* says what was left out."""

    rules: list[tuple[tuple[str, ...], Mapping[str, Any]]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def policy_for(self, image: str) -> tuple[Mapping[str, Any] | None, bool]:
        """Return the policy of *image*, None where no rule has one, and whether it is to be kept current at all."""
        policy, is_enabled = None, True
        for names, rule in self.rules:
            if names and not any(fnmatchcase(image, name) for name in names):
                continue
            versions = rule.get("allowedVersions")
            if isinstance(versions, str) and versions:
                policy = {"semver": {"range": versions}}
            if isinstance(rule.get("enabled"), bool):
                is_enabled = rule["enabled"]
        return policy, is_enabled


def read_rules(path: str, value: Any) -> RenovateRules:
    """Read the package rules of the file at *path* that concern images."""
    made = RenovateRules()
    rules = value.get("packageRules") if isinstance(value, dict) else None
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict) and _is_of_images(rule):
            _add(made, rule, f"{path}: packageRules[{number}]")
    return made


def _add(made: RenovateRules, rule: Mapping[str, Any], place: str) -> None:
    unread = sorted(key for key in rule if key.startswith("match") and key not in _READ)
    versions = rule.get("allowedVersions")
    if unread:
        made.remarks.append(f"{place} matches by {', '.join(unread)}, which is not taken over")
    elif isinstance(versions, str) and versions.startswith(("/", "!/")):
        made.remarks.append(f"{place} allows versions by a regular expression: write it as filter.allow")
    else:
        made.rules.append((tuple(_names(rule)), rule))


def _is_of_images(rule: Mapping[str, Any]) -> bool:
    sources = rule.get("matchDatasources")
    return sources is None or (isinstance(sources, list) and "docker" in sources)


def _names(rule: Mapping[str, Any]) -> Iterator[str]:
    for key in _NAMES:
        found = rule.get(key)
        yield from (name for name in found if isinstance(name, str)) if isinstance(found, list) else ()
