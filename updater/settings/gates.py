"""The settings of gates: when an image may be written."""

from __future__ import annotations

from updater.model.gates import WindowKind  # noqa: TC001 - pydantic reads the annotation
from updater.model.promotion import Follows
from updater.settings import fields  # noqa: TC001 - pydantic reads the annotations
from updater.settings.node import Node


class WindowSettings(Node):
    """One update window, a recurring span of wall-clock time."""

    kind: WindowKind
    """allow: updates are written only while such a window is in force; deny: none is written while it is in force."""
    schedule: fields.CronFields
    """When it begins, as five cron fields: minute, hour, day of the month, month, weekday (0 is Sunday)."""
    duration: fields.Duration
    """How long it lasts on the wall clock, such as 8h."""
    time_zone: fields.TimeZone = "UTC"
    """The IANA time zone of the schedule, such as Europe/Berlin."""


class FollowsSettings(Node):
    """Promotion: which subscription has to run an image well before it is written here, and for how long."""

    subscription: fields.Text
    """The key of the subscription that is followed. It needs delivery, which says how it runs."""
    healthy_for: fields.Duration
    """How long it must run the image healthy, such as 2h. Another version there starts the time anew."""

    def follows(self) -> Follows:
        """Return them as the engine has them."""
        return Follows(subscription=self.subscription, healthy_for=self.healthy_for)


class GateDefaults(Node):
    """When images may be written, unless a subscription says otherwise under its own gates."""

    min_age: fields.Duration | None = None
    """How long ago a digest must have been seen first by this program before it is written, such as 3d."""
    windows: tuple[WindowSettings, ...] = ()
    """When updates are written; checked at the moment of the commit. An empty list is any time."""
    max_changes: fields.Changes | None = None
    """At most so many changes of a subscription in each of its destinations, such as 4/h; counted from the commits in Git.

    A live Application itself remembers when it was written, ten times at most: a larger number is refused there, and as a
    default does not count."""
    coalesce: fields.Duration | None = None
    """How long an update waits for others of its destination, so that they are written together; once does not wait."""
    wait_while_busy: bool | None = None
    """Whether nothing is written while a Rollout or Canary that delivery follows is in progress. The default is true, and of no
    effect for other kinds. Only updater run waits."""


class GateSettings(GateDefaults):
    """When this image may be written. A key that is left out takes the value of the top-level gates, null takes none."""

    group: fields.GroupName | None = None
    """The name of a group: its members move together to the newest version that all of them offer, or none of them moves."""
    follows: FollowsSettings | None = None
    """Another subscription: only what it has run healthy for a time is written here, by tag and digest.

    updater run alone knows that."""
