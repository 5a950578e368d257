"""The annotations by which an object in a cluster says how its releases are followed: their names, and how their texts are read.

They mean the keys of `delivery` in the settings: ``workload``, ``deadline``, ``settle`` and ``on-bad``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError
from updater.model.release import DeliveryOptions, OnBad
from updater.settings.fields import nearest
from updater.settings.values import read_duration, read_workload

if TYPE_CHECKING:
    from collections.abc import Mapping

#: by annotation, the field of `DeliveryOptions`
_FIELDS: Final = {"workload": "workload", "deadline": "deadline", "settle": "settle", "on-bad": "on_bad"}
DELIVERY_KEYS: Final = tuple(_FIELDS)
ON_BAD: Final = "on-bad"


def read_delivery(name: str, text: str) -> Any:
    """Return the value of one annotation, as the options have it; raise `ConfigError`."""
    text = text.strip()
    if name == "workload":
        return read_workload(text)
    if name != ON_BAD:
        return read_duration(text)
    known = [word.value for word in OnBad]
    if text not in known:
        raise ConfigError(f"{text!r} is not one of {', '.join(known)}", hint=nearest(text, known), code="wrong-type")
    return OnBad(text)


def with_delivery(options: DeliveryOptions | None, values: Mapping[str, Any]) -> DeliveryOptions | None:
    """Return *options* with what annotations say, by their names; where they say something, releases are followed."""
    if not values:
        return options
    return replace(options or DeliveryOptions(), **{_FIELDS[name]: value for name, value in values.items()})
