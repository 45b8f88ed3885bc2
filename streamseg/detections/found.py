"""Detections of one video that a file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from streamseg.errors import UserError
from streamseg.instances import Instances

MOST_FRAMES = 10_000_000
"""Of one video; four days at 30 per second. A larger number of a frame is a mistake in the file."""

FARTHEST = 1e6
"""Pixels from the upper left corner beyond which no box can be meant."""


class Detections(Protocol):
    """What somebody has found in the frames of one video.

    Attributes:
        path: The file.
        class_names: Of all objects in it.
        numbers: int64 [F], the frames that it tells of, from 0, ascending.
        seconds: float64 [F], when those are shown; None where it does not tell.
        size: Width and height of the frames, pixels, where it tells.
        extent: Width and height that its boxes reach, pixels, at least 1.
        has_masks: Whether it has masks, rather than boxes alone.
        notes: What was left out, for people.
    """

    path: Path
    class_names: tuple[str, ...]
    numbers: np.ndarray
    seconds: np.ndarray | None
    size: tuple[int, int] | None
    extent: tuple[int, int]
    has_masks: bool
    notes: list[str]

    def at(self, number: int) -> Instances:
        """The objects of a frame, without identities; frames are asked for in order."""
        ...


def boxes_only(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]) -> Instances:
    """Objects whose masks are not known: float [N, 4] xyxy, float [N], int [N]."""
    return Instances(
        boxes=boxes.astype(np.float32),
        scores=scores.astype(np.float32),
        labels=labels.astype(np.int64),
        masks=np.ones((len(boxes), 1, 1), np.float32),
        ids=np.zeros(len(boxes), np.int64),
        class_names=class_names,
        pasting="box",
    )


def check_score(score: float, where: str) -> float:
    """The score itself.

    Raises:
        UserError: It is no probability.
    """
    if not 0 <= score <= 1:
        raise UserError(
            f"{where}: score {score:g} is not from 0 to 1; divide percentages by 100, turn logits x into 1/(1+exp(-x))"
        )
    return score


def left_out(path: Path, count: int) -> list[str]:
    """The note on boxes without area."""
    what = "box without area is" if count == 1 else "boxes without area are"
    return [f"{path}: {count} {what} left out"] if count else []
