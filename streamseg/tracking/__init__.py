"""Gives objects identities that last: a registry of trackers, and what they have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from streamseg.errors import UserError
from streamseg.instances import Instances
from streamseg.planes import Picture
from streamseg.tracking.observation import Observation
from streamseg.tracking.stateful import Stateful

TRACKERS = {
    "two_stage": "motion and overlap, confident detections first, then the doubtful ones",
    "none": "no identities",
}


class Tracker(Protocol):
    """Follows the objects of one stream; every source needs its own."""

    def update(
        self, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> Instances:
        """Give the objects of the next frame their identities.

        Args:
            instances: What was detected, in any order. Low scores are welcome: they hold on to known objects.
            seconds: Presentation time of the frame; frames come in order.
            size: Height and width of the frame, pixels.
            picture: The frame's own pixels, if there are any, for the camera's motion and the objects' looks.

        Returns:
            The detections worth showing, in the order of the input, with ``ids`` from 1; 0 for an object that is not
            known well enough yet. No identity appears twice in a frame.
        """
        ...

    def observe(
        self, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> Observation:
        """Do what ``update`` does, and tell all that the tracker knows; for whoever can wait (see ``Hindsight``)."""
        ...

    def carry(self, seconds: float, size: tuple[int, int]) -> Instances:
        """Tell where the objects are in a frame in which nobody looks for them; the tracker stays as it is.

        Args:
            seconds: Presentation time of that frame, not before the last update's.
            size: Height and width of the frame, pixels.

        Returns:
            What the last update returned, with boxes moved to that time, clipped to the frame; those that have left
            it are missing. Masks move with their boxes. Nothing where there has been no update.
        """
        ...

    def state(self) -> dict[str, Any]:
        """All that the tracker remembers; to be taken between two updates.

        Returns:
            Dicts and lists of numbers, strings, booleans, None and NumPy arrays, in memory of their own (see
            ``streamseg.tracking.state`` for the same as bytes). Settings are not part of it.
        """
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state exactly as the tracker that it was taken from, if both were made with the same settings.

        Raises:
            ValueError: It is not the state of such a tracker; this one stays as it was.
        """
        ...


@dataclass(slots=True, eq=False)
class NoTracker(Stateful):
    """Every object of every frame is new: all identities are 0, and nothing moves."""

    _shown: Instances = field(init=False, default_factory=Instances.empty)  # what the last update returned

    def update(
        self, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> Instances:
        """The same detections without identities (see ``Tracker.update``)."""
        self._shown = instances.with_ids(np.zeros(len(instances), np.int64))
        return self._shown

    def observe(
        self, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> Observation:
        """The same detections, on no tracks (see ``Tracker.observe``)."""
        shown = self.update(instances, seconds, size)
        return Observation(shown, np.zeros(len(shown), np.int64), np.ones(len(shown), bool))

    def carry(self, seconds: float, size: tuple[int, int]) -> Instances:
        """The same detections where they were (see ``Tracker.carry``)."""
        return self._shown


def make_tracker(
    name: str = "two_stage",
    *,
    lost_seconds: float | None = None,
    high_score: float | None = None,
    low_score: float | None = None,
    neutral_score: float | None = None,
    masks: bool = True,
    camera: bool = True,
    appearance: bool = True,
) -> Tracker:
    """A new tracker, for one stream.

    Args:
        name: One of ``TRACKERS``.
        lost_seconds: How long an object out of sight keeps its identity; None for the tracker's own.
        high_score: Least score, 0 to 1, of a detection that may start a track or be shown without one; None for the
            tracker's own.
        low_score: Least score, 0 to 1, of a detection that may continue a track; None for the tracker's own.
        neutral_score: Score, above 0.5 and below 1, of detections of which half are right; None for the tracker's own.
        masks: Compare masks, not boxes alone.
        camera: Find the camera's motion in the pictures.
        appearance: Compare colours.

    Raises:
        UserError: There is no such tracker.
    """
    if name == "none":
        return NoTracker()
    if name == "two_stage":
        from streamseg.tracking.association import Rules
        from streamseg.tracking.belief import Belief
        from streamseg.tracking.camera import CameraMotion
        from streamseg.tracking.gallery import Gallery
        from streamseg.tracking.two_stage import TwoStageTracker

        given: dict[str, Any] = {"lost_seconds": lost_seconds, "high_score": high_score, "low_score": low_score}
        rules = replace(Rules(), **{key: value for key, value in given.items() if value is not None})
        if not masks:
            rules = replace(rules, mask_share=0.0)
        return TwoStageTracker(
            rules,
            belief=Belief() if neutral_score is None else Belief(neutral_score),
            camera=CameraMotion() if camera else None,
            gallery=Gallery() if appearance else None,
        )
    raise UserError(f"unknown tracker {name!r}; choose one of {', '.join(TRACKERS)}")
