"""A table of all tracks, written at the end."""

from __future__ import annotations

import csv
import json
import math
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from streamseg.frame import StreamInfo
from streamseg.result import Result
from streamseg.sinks.base import Ending
from streamseg.sinks.lines import LinesSink
from streamseg.sinks.staging import cannot_write, check_file

Sight = tuple[int, str, float, list[float]]
"""Identity, label, score and box of an object in a frame."""

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

    Until then what the table will be made of is in ``.name.part``, a line of JSON for each frame, so that one can go on
    after a crash. ``open`` is called once for each stream and ``close`` once for all; ``write`` from any thread.

    Args:
        path: The file.
        several_sources: Begin each row with the source's name.
        how: ``overwrite`` and ``leave_part`` of ``LinesSink``.

    Raises:
        UserError: It cannot be written there.
    """

    wants_picture = False
    wants_masks = False
    on_main_thread = False

    def __init__(self, path: str | os.PathLike[str], *, several_sources: bool = False, **how: bool) -> None:
        self._sights = _Sights(path, **how)
        self._with_source = several_sources
        self._tracks: dict[str, dict[int, Track]] = {}
        self._lock = threading.Lock()

    def kept(self, source: str, most: int | None = None) -> int:
        """How many frames of a source are whole in what an earlier run left, ``most`` at most."""
        return self._sights.kept(source, most)

    def resume(self, source: str, frames: int) -> None:
        """Keep so many frames of a source of an earlier run, and go on after them; before ``open``."""
        self._sights.resume(source, frames)

    def mark(self, data: bytes) -> None:
        """Keep something for whoever goes on with the file after a crash; from any thread."""
        self._sights.mark(data)

    def marks(self) -> list[bytes]:
        """What ``mark`` was given in the run that left the file, the latest last."""
        return self._sights.marks()

    def open(self, info: StreamInfo) -> None:
        """Make room for a stream.

        Raises:
            UserError: It cannot be written.
        """
        with self._lock:
            first = not self._tracks
            self._sights.open(info)
            self._tracks.setdefault(info.name, {})
            if first:
                for source, seconds, rows in self._sights.earlier():
                    self._add(source, seconds, rows)

    def write(self, result: Result) -> None:
        """Note where the objects of one frame are.

        Raises:
            UserError: The disk is full, for example.
        """
        with self._lock:
            self._sights.write(result)
            self._add(result.frame.source, result.frame.seconds, _sights_of(result))

    def close(self, ok: bool = True, ending: Ending = Ending.END) -> list[str]:
        """Write the table.

        Raises:
            UserError: It could not be written.
        """
        return self._sights.publish(self._table, ok, ending)

    def _add(self, source: str, seconds: float, rows: Iterable[Sight]) -> None:
        tracks = self._tracks.setdefault(source, {})
        for identity, label, score, box in rows:
            tracks.setdefault(identity, Track(seconds, box)).add(seconds, box, score, label)

    def _table(self, file: TextIO) -> None:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["source"] * self._with_source + list(COLUMNS))
        writer.writerows(self._rows())

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


def _sights_of(result: Result) -> list[Sight]:
    found = result.instances
    rows = zip(found.ids.tolist(), found.names, found.scores.tolist(), found.boxes.tolist(), strict=True)
    return [(identity, label, score, box) for identity, label, score, box in rows if identity > 0]


class _Sights(LinesSink):
    """Who is where in each frame, as lines of JSON in the hidden file of a table."""

    every_frame = True

    def lines(self, result: Result) -> str:
        """The source, the frame, its time, and who is where."""
        frame = result.frame
        return json.dumps([frame.index, frame.seconds, frame.source, _sights_of(result)], ensure_ascii=False) + "\n"

    def frame_of(self, line: bytes) -> tuple[str, int] | None:
        """The frame that a line is about."""
        try:
            index, _, source, _ = json.loads(line)
        except ValueError:
            return None
        return source, index

    def earlier(self) -> Iterator[tuple[str, float, list[Sight]]]:
        """What an earlier run saw in the frames that are kept of it.

        Raises:
            UserError: It cannot be read.
        """
        assert self._staged is not None
        if not any(self._resumed.values()):
            return
        try:
            with (self._staged.earlier() or self._staged.part).open("rb") as file:
                for line in file:
                    if not self.is_kept(line):
                        continue
                    _, seconds, source, rows = json.loads(line)
                    yield source, seconds, [(identity, label, score, box) for identity, label, score, box in rows]
        except (OSError, ValueError) as error:
            raise cannot_write(self._staged.path, error) from None

    def publish(self, write: Callable[[TextIO], None], ok: bool, ending: Ending) -> list[str]:
        """Put a table under the final name in place of the lines, which stay where it fails."""
        assert self._staged is not None and self._marking is not None
        file, self._file = self._file, None
        notes, self._notes = self._notes, []
        if file is None:
            return notes
        whole = self._staged.part.with_name(f"{self._staged.part.name}2")
        try:
            file.close()
            if ok and self._leave_part and ending is Ending.STOPPED:
                return [*notes, self._staged.left()]
            if not ok:
                if not self._whole:
                    self._staged.discard()
                return [*notes, f"the run failed, so there is no {self._staged.path.name}"]
            with whole.open("w", encoding="utf-8", newline="") as table:
                write(table)
                table.flush()
                os.fsync(table.fileno())
            stopped = ending is Ending.STOPPED
            notes += self._staged.commit(whole=whole, keep_part=stopped)
            if not stopped:
                self._marking.discard()
            return notes
        except OSError as error:
            whole.unlink(missing_ok=True)
            raise cannot_write(self._staged.path, error) from None
