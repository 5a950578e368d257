"""The limits for registries: memory, time, and the request rate for registries without an entry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from updater.http.budget import DEFAULT_BUDGET
from updater.registry.listing import ListingLimits
from updater.registry.shape import AnswerLimits
from updater.settings import fields  # noqa: TC001 - pydantic reads the annotations
from updater.settings.node import Node

_MEBIBYTE = 1024 * 1024


class RegistryLimits(Node):
    """Limits for the answers of registries. The defaults suit a memory limit of 512 MiB."""

    page_bytes: Annotated[int, Field(ge=64 * 1024, le=1024 * _MEBIBYTE)] = 16 * _MEBIBYTE
    """The maximum size of one page of a tag list in bytes, after decompression."""
    manifest_bytes: Annotated[int, Field(ge=64 * 1024, le=1024 * _MEBIBYTE)] = 8 * _MEBIBYTE
    """The maximum size of a manifest, an index or an image configuration in bytes."""
    index_entries: Annotated[int, Field(ge=1, le=1_000_000)] = 512
    """The maximum number of images, attestations and other entries of an index."""
    tags: Annotated[int, Field(ge=1, le=10_000_000)] = 250_000
    """The maximum number of tags of an image. An image with more tags fails, unless its policy is digest, which needs no list."""
    values: Annotated[int, Field(ge=1000, le=100_000_000)] = 500_000
    """The maximum number of JSON keys and values in one answer; each tag is one. A larger answer is not parsed."""
    depth: Annotated[int, Field(ge=8, le=1000)] = 32
    """The maximum nesting depth of an answer."""
    memory: Annotated[int, Field(ge=_MEBIBYTE, le=1024 * 1024 * _MEBIBYTE)] = DEFAULT_BUDGET
    """The bytes of large answers in memory at one time. One answer is always read; each host has one at a time."""
    list_time: fields.Duration = Field(default=300.0, json_schema_extra={"default": "5m"})
    """How long a registry may take for the whole list of one image. Time that updater itself waits does not count."""
    rate: fields.Rate | None = Field(default=20.0, json_schema_extra={"default": "20/s"})
    """The maximum rate of requests to a registry without an entry in registries, after a burst of as many; null: no limit."""

    def caps(self) -> ListingLimits:
        """Return the limits for a list of tags."""
        return ListingLimits.for_tags(self.tags, page_bytes=self.page_bytes)

    def limits(self) -> AnswerLimits:
        """Return them as the registry room takes them."""
        return AnswerLimits(
            page_bytes=self.page_bytes,
            manifest_bytes=self.manifest_bytes,
            index_entries=self.index_entries,
            values=max(self.values, 2 * self.tags),
            depth=self.depth,
            list_time=self.list_time,
            rate=self.rate,
        )
