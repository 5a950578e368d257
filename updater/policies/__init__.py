"""Which tag should run: policies order candidates, filters drop them by name; pure.

`build` and `build_filter` check everything that can be checked without a candidate. A kind that stands in no
table here is looked for among the entry points of the group ``updater.policies``, each a function
from the options of the policy to a `Policy`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError, PolicyError
from updater.model.subscription import PolicySpec
from updater.policies.base import NotRanked, Policy, nearest
from updater.policies.filters import NameFilter, build_filter, filter_from
from updater.reasons import import_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "POLICIES", "NameFilter", "NotRanked", "Policy", "build", "build_filter", "filter_from", "kinds", "spec_from"]

GROUP: Final = "updater.policies"
# kind → module; a module is imported when its kind is asked for first
POLICIES: Final = {
    "semver": "updater.policies.semver",
    "latest": "updater.policies.latest",
    "name": "updater.policies.name",
    "number": "updater.policies.number",
    "digest": "updater.policies.digest",
    "pep440": "updater.policies.pep440",
}
DEFAULT: Final = PolicySpec("semver")


@lru_cache(maxsize=4096)
def build(spec: PolicySpec) -> Policy:
    """Build the policy of a spec; equal specs give the same object.

    Raises `PolicyError` for an unknown kind, an unknown option or one that cannot be used, and
    `ConfigError` for a plugin that cannot be loaded.
    """
    return _builder(spec.kind)(spec.options)


def kinds() -> tuple[str, ...]:
    """Name every kind: our own, then those of plugins."""
    return (*POLICIES, *sorted(_plugins()))


def spec_from(value: object) -> PolicySpec:
    """Read ``{"semver": {"range": ">=1"}}`` as configuration and batch lines give it; raise `PolicyError`.

    Options that are null count as left out. The options themselves are checked by `build`.
    """
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(next(iter(value)), str):
        raise PolicyError("policy is not a map of one kind to its options", hint='write {"semver": {"range": ">=1.0.0"}}')
    kind, options = next(iter(value.items()))
    if options is not None and not isinstance(options, dict):
        raise PolicyError(f"the options of the policy {kind} are not a map", hint=f'write {{"{kind}": {{}}}}')
    return PolicySpec(kind, {str(name): option for name, option in (options or {}).items() if option is not None})


def _builder(kind: str) -> Callable[[Mapping[str, object]], Policy]:
    module = POLICIES.get(kind)
    if module is not None:
        built_in: Callable[[Mapping[str, object]], Policy] = import_module(module).build
        return built_in
    plugins = _plugins()
    if kind not in plugins:
        known = (*POLICIES, *plugins)
        near = nearest(kind, dict.fromkeys(known))
        hint = f"did you mean {near!r}?" if near else "policies: " + ", ".join(known)
        raise PolicyError(f"there is no policy {kind!r}", hint=hint)
    return _loaded(plugins[kind])


def _loaded(point: EntryPoint) -> Callable[[Mapping[str, object]], Policy]:
    try:
        load: Any = point.load()
    except Exception as error:
        raise ConfigError(
            f"the policy {point.name!r} cannot be loaded from {point.value}: {import_reason(error)}",
            hint=f"repair or remove the package {_package(point)}",
        ) from error
    if not callable(load):
        raise ConfigError(f"the policy {point.name!r} at {point.value} is not a function", hint="see the reference of policies")
    builder: Callable[[Mapping[str, object]], Policy] = load
    return builder


@lru_cache(maxsize=1)
def _plugins() -> dict[str, EntryPoint]:
    """Find the policies of installed packages; a name taken twice is a `ConfigError`, as nobody could say which one runs."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - only an unknown kind pays for it

    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        other = found.get(point.name)
        if point.name in POLICIES or (other is not None and other.value != point.value):
            owner = "updater itself" if other is None else _package(other)
            raise ConfigError(
                f"the policy {point.name!r} of the package {_package(point)} is taken by {owner}",
                hint="remove one of the two packages, or rename the entry point",
            )
        found[point.name] = point
    return found


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module
