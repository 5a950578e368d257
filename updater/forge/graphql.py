"""GitHub's GraphQL: where it is asked, and what it refuses with status 200."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.forge.api import ApiCall
from updater.forge.reading import listing, mapping, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.forge.address import ForgeRepository


def query_call(repository: ForgeRepository, query: str, variables: Mapping[str, Any], *, is_repeatable: bool) -> ApiCall:
    """Return the call that asks GraphQL, which Enterprise has beside its REST API."""
    base = repository.api.removesuffix("/v3") if repository.api.endswith("/api/v3") else repository.api
    data = {"query": query, "variables": variables}
    return ApiCall(method="POST", base=base, path="graphql", data=data, is_repeatable=is_repeatable)


def failure_of(answer: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the code and the words of what GraphQL refuses, which it does with status 200; None where it refuses nothing."""
    errors = listing(answer.get("errors"))
    return (_code_of(errors), _said(errors)) if errors else None


def _said(errors: list[Any]) -> str:
    return "; ".join(text(mapping(item).get("message")) for item in errors[:3])[:300]


def _code_of(errors: list[Any]) -> str:
    kinds = {text(mapping(item).get("type")) for item in errors}
    if "RATE_LIMITED" in kinds:
        return "forge-rate-limited"
    if "NOT_FOUND" in kinds:
        return "forge-not-found"
    return "forge-denied" if kinds & {"FORBIDDEN", "INSUFFICIENT_SCOPES"} else "forge-protocol"
