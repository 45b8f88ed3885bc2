"""Identities as MOTChallenge and MOTS write them: text, a row for each object of each frame."""

from __future__ import annotations

import numpy as np

from streamseg.errors import UserError
from streamseg.instances import Instances
from streamseg.masks import Patch, encode
from streamseg.motchallenge import mot_number, mots_number
from streamseg.result import Result
from streamseg.sinks.lines import LinesSink, check

__all__ = ["MotSink", "MotsSink", "check"]


class MotSink(LinesSink):
    """Writes MOTChallenge's rows ``frame,id,left,top,width,height,score,class,-1,-1`` (see ``LinesSink``).

    Frames count from 1, ids too; objects without an id are left out. Boxes are in pixels of the frame as our records
    have them, the upper left corner of the picture being 0, 0. Classes are those of
    :func:`streamseg.motchallenge.mot_number`.
    """

    def frame_of(self, line: bytes) -> tuple[str, int] | None:
        """The frame of a row."""
        return _frame_of(line, b",")

    def lines(self, result: Result) -> str:
        """A row for each object that has an id.

        Raises:
            UserError: The model finds regions, which have no place in such a file.
        """
        found = _identified(result)
        rows = zip(found.ids.tolist(), found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
        return "".join(
            f"{result.frame.index + 1},{identity},{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f},"
            f"{score:.4f},{mot_number(found.class_names[label], label)},-1,-1\n"
            for identity, (left, top, right, bottom), score, label in rows
        )


class MotsSink(LinesSink):
    """Writes MOTS' rows ``frame id class height width rle`` (see ``LinesSink``).

    Frames count from 1, as in MOTSChallenge. Masks of one frame do not overlap, as the format demands: the object with
    the higher score keeps a pixel, and one that keeps none has no row; best scores come first. Classes are those of
    :func:`streamseg.motchallenge.mots_number`. Format: https://www.vision.rwth-aachen.de/page/mots.
    """

    wants_masks = True

    def frame_of(self, line: bytes) -> tuple[str, int] | None:
        """The frame of a row."""
        return _frame_of(line, b" ")

    def lines(self, result: Result) -> str:
        """A row for each object that has an id and is seen.

        Raises:
            UserError: There are no masks.
        """
        found, height, width = _identified(result), result.frame.height, result.frame.width
        if len(found) and not found.has_masks:
            raise UserError("MOTS rows need masks, but only boxes are known here; write .txt or .jsonl instead")
        rows = []
        for index, patch in _apart(found, height, width):
            label, identity = int(found.labels[index]), int(found.ids[index])
            number, runs = mots_number(found.class_names[label], label), encode(patch, height, width)["counts"]
            rows.append(f"{result.frame.index + 1} {identity} {number} {height} {width} {runs}\n")
        return "".join(rows)


def _frame_of(line: bytes, separator: bytes) -> tuple[str, int] | None:
    number = line.partition(separator)[0]
    return ("", int(number) - 1) if number.isdigit() else None


def _identified(result: Result) -> Instances:
    """The objects with an id.

    Raises:
        UserError: The model finds no objects at all.
    """
    if result.regions is not None:
        raise UserError("this model finds regions, not objects: only JSON lines can hold them; write .jsonl instead")
    return result.instances[result.instances.ids > 0]


def _apart(found: Instances, height: int, width: int) -> list[tuple[int, Patch]]:
    """The pixels that each object keeps where better ones take theirs first; only objects that keep some."""
    taken = np.zeros((height, width), bool)
    patches, kept = found.patches(height, width), []
    for index in np.argsort(-found.scores, kind="stable").tolist():
        patch = patches[index]
        own = patch.pixels & ~taken[patch.slices]
        if own.any():
            taken[patch.slices] |= own
            kept.append((index, Patch(own, patch.x, patch.y)))
    return kept
