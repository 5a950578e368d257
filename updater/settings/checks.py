"""Check settings with the rules of policies and templates, which are imported only when they are needed.

This is the one seam between the settings and those rooms. Each check raises an `UpdaterError`; equal
texts are checked once, because a thousand subscriptions share a handful of policies.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from updater.errors import PolicyError
from updater.model.subscription import TagFilter

if TYPE_CHECKING:
    from updater.model.subscription import PolicySpec
    from updater.templates.template import Template


@lru_cache(maxsize=4096)
def check_policy(spec: PolicySpec) -> None:
    """Build the policy of *spec* and drop it; raise `PolicyError`."""
    from updater import policies  # noqa: PLC0415 - the rules are loaded only when there is something to check

    policies.build(spec)


@lru_cache(maxsize=4096)
def check_filter(*, allow: str | None = None, ignore: str | None = None, extract: str | None = None) -> None:
    """Build a filter of these parts and drop it; raise `PolicyError`."""
    from updater import policies  # noqa: PLC0415 - slow to import; only a configuration that is read needs it

    built = policies.build_filter(TagFilter(allow=allow, ignore=(ignore,) if ignore is not None else (), extract=extract))
    if built.unknown_group is not None:
        message = f"extract names the group {built.unknown_group}, and allow has no such group"
        raise PolicyError(message, hint="write a group into allow, such as ^v(?P<version>.*)$, and $version here")


@lru_cache(maxsize=256)
def check_template(text: str) -> None:
    """Parse a template and drop it; raise `TemplateError`."""
    from updater import templates  # noqa: PLC0415 - slow to import; only a configuration that is read needs it

    templates.parse(text)


def check_branch_template(text: str) -> None:
    """Render the template of a branch for a place that never was; raise `TemplateError`."""
    render_branch(text, key="shop", namespace="shop", base="main", group="shop")


def render_branch(text: str, *, key: str, namespace: str, base: str, group: str) -> str:
    """Return what the template of a branch makes of what is known at load; raise `TemplateError`."""
    from updater import templates  # noqa: PLC0415 - slow to import; only a template needs it

    known = (("Key", key), ("Namespace", namespace), ("Base", base), ("Group", group))
    return _parsed_branch(text).render(templates.Struct("BranchData", known))


@lru_cache(maxsize=256)
def _parsed_branch(text: str) -> Template:
    from updater import templates  # noqa: PLC0415 - see above

    return templates.parse(text, name="branch")


@lru_cache(maxsize=256)
def check_schedule(text: str) -> None:
    """Read the cron fields of a window and drop them; raise `PolicyError`."""
    from updater.gates import cron  # noqa: PLC0415 - only a configuration with windows needs it

    cron.parse_schedule(text)


@lru_cache(maxsize=256)
def check_zone(name: str) -> None:
    """Look a time zone up; raise `PolicyError`."""
    from updater.gates import windows  # noqa: PLC0415 - see above

    windows.check_zone(name)
