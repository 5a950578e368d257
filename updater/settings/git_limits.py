"""The settings under `git.limits`: how much a Git server and a repository may ask of the program."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from updater.git.limits import RepositoryLimits, shown_size
from updater.settings import fields
from updater.settings.node import Node

_MIB = 2**20
_Count = Annotated[int, Field(ge=1, le=100_000_000)]


class GitLimitSettings(Node):
    """How much a Git server and a repository may ask of the program; what exceeds a limit is refused with code git-limit."""

    deadline: fields.Duration = Field(default=120.0, json_schema_extra={"default": "2m"})
    """How long one conversation with a server may take: a listing, a fetch or a push. More ends with code git-deadline.
    A GitRepository of Flux may have a shorter timeout."""
    answer: fields.Size = Field(default=32 * _MIB, json_schema_extra={"default": "32MiB"})
    """The most that a server may say besides a pack: its branches, its answer to a push, its progress messages."""
    pack: fields.Size = Field(default=1024 * _MIB, json_schema_extra={"default": "1GiB"})
    """The largest pack that is fetched, as it is sent; it goes to disk."""
    unpacked: fields.Size = Field(default=4096 * _MIB, json_schema_extra={"default": "4GiB"})
    """The most that all objects of a pack may come to when they are inflated."""
    objects: _Count = 500_000
    """The most objects in a pack."""
    delta_depth: _Count = 512
    """The longest chain of deltas in a pack."""
    object: fields.Size = Field(default=20 * _MIB, json_schema_extra={"default": "20MiB"})
    """The largest object that is held in memory: a tree, a commit, or a file with its delta. Files without one may be larger."""
    file: fields.Size = Field(default=8 * _MIB, json_schema_extra={"default": "8MiB"})
    """The largest file that is read and edited. Larger ones are searched, and refused where they hold something to edit.

    YAML is edited up to 4 MiB: its events take about 50 times the memory of the text."""
    history: fields.Size = Field(default=256 * _MIB, json_schema_extra={"default": "256MiB"})
    """The most that is fetched to read the history for reverts. Servers that can leave out files send a fraction of it."""
    entries: _Count = 300_000
    """The most files and folders below the path in which a search looks for markers."""
    tree_depth: Annotated[int, Field(ge=1, le=400)] = 100
    """The most levels of folders in which a search looks for markers."""
    files: _Count = 20_000
    """The most files with markers that one search may find."""
    search: fields.Size = Field(default=1024 * _MIB, json_schema_extra={"default": "1GiB"})
    """The most bytes of files that one search reads; files that were searched before are not read again."""
    memory: fields.Size = Field(default=160 * _MIB, json_schema_extra={"default": "160MiB"})
    """The most memory that large objects and histories of all repositories take at one time; work on others waits."""

    @model_validator(mode="after")
    def _check_memory(self) -> Self:
        least = max(32 * _MIB, 7 * self.object)
        if self.memory < least:
            hint = f"write at least {shown_size(least)}, which is 7 times git.limits.object, or lower that"
            raise fields.flawed((("memory",), "size", "this is too little memory for the largest object", hint))
        return self

    def limits(self) -> RepositoryLimits:
        """Return the limits as the Git package takes them."""
        return RepositoryLimits(**{name: getattr(self, name) for name in type(self).model_fields})
