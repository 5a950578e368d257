"""Which of our annotations say something of a subscription on any kind of object, and of which one each speaks."""

from __future__ import annotations

from typing import Final

from updater.settings.decisions import KINDS
from updater.settings.delivery_annotations import DELIVERY_KEYS
from updater.settings.gate_annotations import GATE_KEYS

#: by annotation, without the prefix: what people decided, gates, and how releases are followed
SUBSCRIPTION_KEYS: Final = (*KINDS, *GATE_KEYS, *DELIVERY_KEYS)


def key_of_one(name: str) -> str:
    """Return the key in ``<one>.<key>``, "" where the name speaks of no one alone, or its key is not known."""
    return next((key for key in SUBSCRIPTION_KEYS if name.endswith(f".{key}") and len(name) > len(key) + 1), "")


def is_known(name: str) -> bool:
    """Return whether an annotation of this name, without the prefix, says something of one subscription or of all."""
    return name in SUBSCRIPTION_KEYS or bool(key_of_one(name))
