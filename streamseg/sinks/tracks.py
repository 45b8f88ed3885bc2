"""A table of all tracks, written at the end."""

from __future__ import annotations

import csv
import math
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streamseg.frame import StreamInfo
from streamseg.result import Result
from streamseg.sinks.staging import Staged, cannot_write, check_file

_SIDES = ("left", "top", "right", "bottom")
COLUMNS = (
    "id",
    "label",
    "score",
    "frames",
    "first",
    "last",
    "path",
    *(f"first_{side}" for side in _SIDES),
    *(f"last_{side}" for side in _SIDES),
)


def check(path: str | os.PathLike[str], sources: Sequence[str] = (), *, overwrite: bool = False) -> None:
    """See that a table can be written to ``path``.

    Raises:
        UserError: It is a source itself, exists already, or cannot be written to.
    """
    check_file(Path(path), sources, overwrite=overwrite)


@dataclass(slots=True, eq=False)
class Track:
    """What is known of one identity.

    Attributes:
        first: Seconds of the first frame it is in.
        first_box: Its box there, xyxy, pixels.
        last: Seconds of the last frame so far.
        box: Its box there.
        frames: In how many frames it is.
        path: How far its box's centre has moved in the picture, from frame to frame, pixels.
        scores: Sum of its scores.
        votes: Sum of its scores by class name.
    """

    first: float
    first_box: list[float]
    last: float = 0.0
    box: list[float] = field(default_factory=list)
    frames: int = 0
    path: float = 0.0
    scores: float = 0.0
    votes: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, seconds: float, box: list[float], score: float, label: str) -> None:
        """One more frame."""
        if self.box:
            self.path += math.dist(_centre(self.box), _centre(box))
        self.last, self.box = seconds, box
        self.frames += 1
        self.scores += score
        self.votes[label] += score

    @property
    def label(self) -> str:
        """The class with most votes."""
        return max(self.votes, key=lambda name: self.votes[name])


class TracksSink:
    """Writes a CSV table with a row for each identity, when all frames are known.

    Columns: ``source`` where there are several; ``id``; ``label``, the class with the highest sum of scores; ``score``,
    the mean; ``frames`` that it is in; ``first`` and ``last``, seconds; ``path``, pixels that the centre of its box has
    moved in the picture, which includes what the camera moved; and its first and last box. Rows are in the order of
    the sources and of the ids. After a failure nothing is written.

    ``open`` is called once for each stream and ``close`` once for all; ``write`` from any thread.

    Args:
        path: The file.
        several_sources: Begin each row with the source's name.
        overwrite: Replace an older file.

    Raises:
        UserError: It cannot be written there.
    """

    wants_picture = False
    wants_masks = False
    on_main_thread = False

    def __init__(self, path: str | os.PathLike[str], *, several_sources: bool = False, overwrite: bool = False) -> None:
        check(path, overwrite=overwrite)
        self._staged: Staged | None = Staged(Path(os.path.abspath(path)))
        self._with_source = several_sources
        self._tracks: dict[str, dict[int, Track]] = {}
        self._lock = threading.Lock()

    def open(self, info: StreamInfo) -> None:
        """Make room for a stream."""
        self._tracks[info.name] = {}

    def write(self, result: Result) -> None:
        """Note where the objects of one frame are."""
        found, seconds = result.instances, result.frame.seconds
        rows = zip(found.ids.tolist(), found.boxes.tolist(), found.scores.tolist(), found.names, strict=True)
        with self._lock:
            tracks = self._tracks[result.frame.source]
            for identity, box, score, label in rows:
                if identity > 0:
                    tracks.setdefault(identity, Track(seconds, box)).add(seconds, box, score, label)

    def close(self, ok: bool = True) -> list[str]:
        """Write the table."""
        staged, self._staged = self._staged, None
        if staged is None:
            return []
        if not ok:
            return [f"the run failed, so there is no {staged.path.name}"]
        notes = staged.begin()
        try:
            with staged.part.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["source"] * self._with_source + list(COLUMNS))
                writer.writerows(self._rows())
            return notes + staged.commit(ok)
        except OSError as error:
            staged.discard()
            raise cannot_write(staged.path, error) from None

    def _rows(self) -> Iterator[list[str]]:
        for source, tracks in self._tracks.items():
            for identity, track in sorted(tracks.items()):
                yield [source] * self._with_source + _cells(identity, track)


def _cells(identity: int, track: Track) -> list[str]:
    times = (f"{seconds:.3f}" for seconds in (track.first, track.last))
    sides = (f"{side:.1f}" for side in (*track.first_box, *track.box))
    score = f"{track.scores / track.frames:.4f}"
    return [str(identity), track.label, score, str(track.frames), *times, f"{track.path:.1f}", *sides]


def _centre(box: list[float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
