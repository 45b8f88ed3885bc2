"""Frames of detections, with and without a video."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamseg.detections.footage import Footage
from streamseg.detections.sequences import read_sequences
from streamseg.errors import UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.sources import Source


class Video:
    """Frames of 64 x 48 pixels at uneven times, or images of which one is missing."""

    def __init__(self, pts=(0, 3, 4), images=False, frames=None):
        files = tuple(Path(f"{number}.png") for number in range(5)) if images else ()
        self.info = StreamInfo("clip", 64, 48, Fraction(1, 25), rate=Fraction(25), frames=frames, files=files)
        self.losses, self.notes, self.closed, self._pts = Counter(), [], False, pts

    def __iter__(self):
        for index, pts in enumerate(self._pts):
            yield Frame(np.zeros((48, 64, 3), np.uint8), index, pts, Fraction(1, 25), "clip")

    def close(self):
        self.closed = True


def played(footage):
    """(frame's index, seconds, names of what is in it), as the pipeline asks for them: some frames ahead."""
    frames = list(footage)
    found = footage.find([frame.pixels for frame in frames])
    return [(frame.index, round(frame.seconds, 6), each.names) for frame, each in zip(frames, found, strict=True)]


ROWS = ("1,-1,0,0,5,5,0.5,1", "3,-1,0,0,5,5,0.5,3", "4,-1,0,0,5,5,0.5,4")


def test_without_a_video_every_frame_is_there_at_its_time(rows):
    footage = Footage(read_sequences(rows(*ROWS), Fraction(10))[0])
    assert isinstance(footage, Source)
    assert played(footage) == [(0, 0, ["person"]), (1, 0.1, []), (2, 0.2, ["car"]), (3, 0.3, ["bicycle"])]
    assert (footage.info.frames, footage.info.duration, footage.info.rate) == (4, 0.4, 10)


def test_records_keep_their_times_unless_a_rate_is_given(records, record):
    path = records(record(0, pts=0.033333), record(7, [("car", 0.5, (0, 0, 5, 5))], pts=0.123457))
    assert played(Footage(read_sequences(path)[0])) == [(0, 0.033333, []), (7, 0.123457, ["car"])]
    assert [seconds for _, seconds, _ in played(Footage(read_sequences(path, Fraction(10))[0]))] == [0, 0.7]


def test_a_video_tells_times_and_lacks_what_it_lacks(rows):
    video = Video(frames=3)
    footage = Footage(read_sequences(rows(*ROWS), timed=True)[0], video)
    assert footage.notes == [f"{rows(*ROWS)} is about 4 frames, but the video has 3"]
    assert played(footage) == [(0, 0, ["person"]), (1, 0.12, []), (2, 0.16, ["car"])]
    footage.close()
    assert video.closed


def test_images_have_the_rate_of_the_sequence_and_a_number_each(rows):
    footage = Footage(read_sequences(rows(*ROWS), Fraction(10))[0], Video((0, 2, 3), images=True))
    assert played(footage) == [(0, 0, ["person"]), (1, 0.2, ["car"]), (2, 0.3, ["bicycle"])]
    assert footage.info.rate == 10


def test_another_video_is_refused(rows):
    path = rows(*ROWS)
    with pytest.raises(UserError, match="frames of 32x24 pixels, but clip has 64x48; give its own video"):
        Footage(read_sequences(path, Fraction(10), (32, 24))[0], Video())


def test_closing_ends_it(rows):
    footage = Footage(read_sequences(rows(*ROWS), Fraction(10))[0])
    frames = iter(footage)
    next(frames)
    footage.close()
    footage.close()
    assert list(frames) == []
