"""The configuration: a frozen tree, read strictly, with all problems reported at once.

Importing this room loads pydantic; commands that read no configuration leave it alone.
"""

from updater.settings.reading import build_settings, find_files, load_settings
from updater.settings.schema import schema
from updater.settings.tree import Settings, SubscriptionSettings, TargetSettings
from updater.settings.values import ListenAddress

__all__ = [
    "ListenAddress",
    "Settings",
    "SubscriptionSettings",
    "TargetSettings",
    "build_settings",
    "find_files",
    "load_settings",
    "schema",
]
