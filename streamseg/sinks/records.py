"""Records for other programs: one JSON line per frame."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from streamseg.regions import Regions
from streamseg.result import Result
from streamseg.sinks.lines import LinesSink, check

__all__ = ["RecordsSink", "check", "record"]

_BEGINNING = re.compile(rb'\{"frame": (\d+), "pts": [^,]+, (?:"source": ("(?:[^"\\]|\\.)*"))?')


def record(result: Result, *, with_source: bool = False) -> dict[str, Any]:
    """One frame's record: ``frame``, ``pts`` in seconds, ``instances``; boxes in pixels, masks as COCO run lengths.

    Objects of which only boxes are known have no ``mask``.

    A model that finds regions adds ``regions``: for each class that occurs its ``label``, its ``share`` of the frame (0
    to 1) and its ``mask``. ``instances`` is then there and empty, for programs that read objects from any record.
    """
    frame, found = result.frame, result.instances
    line: dict[str, Any] = {"frame": frame.index, "pts": round(frame.seconds, 6)}
    if with_source:
        line["source"] = frame.source
    # Python's own numbers, and its rounding, which is that of the decimal digits that are written.
    rows = zip(found.ids.tolist(), found.names, found.scores.tolist(), found.boxes.tolist(), strict=True)
    line["instances"] = [
        {"id": identity, "label": label, "score": round(score, 4), "box": [round(side, 2) for side in box]}
        for identity, label, score, box in rows
    ]
    if found.has_masks:
        for entry, mask in zip(line["instances"], found.to_rle(frame.height, frame.width), strict=True):
            entry["mask"] = mask
    if result.regions is not None:
        line["regions"] = _regions(result.regions)
    return line


def _regions(found: Regions) -> list[dict[str, Any]]:
    return [
        {"label": label, "share": round(float(share), 4), "mask": mask}
        for label, share, mask in zip(found.names, found.shares, found.to_rle(), strict=True)
    ]


class RecordsSink(LinesSink):
    """Writes JSON lines; several streams may share one file (see ``LinesSink``).

    Args:
        path: The file; ``-`` is standard output, one line at a time.
        several_sources: Add each frame's source to its line.
        how: ``overwrite`` and ``leave_part`` of ``LinesSink``.

    Raises:
        UserError: It cannot be written there.
    """

    wants_masks = True

    def __init__(self, path: str | os.PathLike[str], *, several_sources: bool = False, **how: bool) -> None:
        super().__init__(path, **how)
        self._with_source = several_sources

    every_frame = True

    def frame_of(self, line: bytes) -> tuple[str, int] | None:
        """What a line says at its beginning."""
        begin = _BEGINNING.match(line)
        return None if begin is None else (json.loads(begin[2]) if begin[2] else "", int(begin[1]))

    def lines(self, result: Result) -> str:
        """One line of JSON."""
        return json.dumps(record(result, with_source=self._with_source), ensure_ascii=False) + "\n"
