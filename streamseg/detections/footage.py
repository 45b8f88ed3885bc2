"""The frames that detections were made in, as a source; and the detections, in a model's place."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from streamseg.detections import sequences
from streamseg.errors import UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.planes import Picture
from streamseg.result import Found
from streamseg.sources import Source

_TICK = Fraction(1, 1_000_000)  # seconds; records have six decimals


class Footage:
    """A ``Source`` of the frames of a sequence, and what was found in them: ``find`` is a ``Segment``.

    Without a video its frames are black, and need no memory. With one its frames and times are the video's; images,
    which have no time of their own, are shown at the sequence's rate.

    Args:
        sequence: Detections, and what is known of their video.
        video: The video that they are of, open; None for none. Closing the footage closes it.

    Raises:
        UserError: The video has another size than the frames that the detections are of.
    """

    def __init__(self, sequence: sequences.Sequence, video: Source | None = None) -> None:
        self._detections = sequence.detections
        self._video = video
        self._closed = False
        self._numbers: deque[int] = deque()  # of the frames that have been given and not yet been asked for
        self.losses: Counter[str] = Counter() if video is None else video.losses
        self.notes: list[str] = [] if video is None else video.notes
        self._rate = sequence.rate if video is None or video.info.files else None
        self.info = _info(sequence) if video is None else video.info
        if video is not None:
            _check_size(sequence, video.info)
            if self._rate is not None:
                self.info = replace(video.info, time_base=1 / self._rate, rate=self._rate)
            last = max(sequence.detections.numbers, default=-1)
            if video.info.frames is not None and last >= video.info.frames:
                count = f"{last + 1} frames, but the video has {video.info.frames}"
                self.notes.append(f"{sequence.detections.path} is about {count}")

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order, one pass only."""
        for number, frame in self._timed() if self._video is not None else self._blank():
            if self._closed:
                return
            self._numbers.append(number)
            yield frame

    def close(self) -> None:
        """End the sequence; may be called twice and from another thread."""
        self._closed = True
        if self._video is not None:
            self._video.close()

    def find(self, pictures: Sequence[Picture]) -> list[Found]:
        """What was found in the next frames; called in their order."""
        return [self._detections.at(self._numbers.popleft()) for _ in pictures]

    def _timed(self) -> Iterator[tuple[int, Frame]]:
        assert self._video is not None
        images = bool(self._video.info.files)
        for frame in self._video:
            number = frame.pts if images else frame.index  # an image that cannot be read is a frame too
            if self._rate is not None:
                frame = replace(frame, pts=number, time_base=1 / self._rate, duration=1)
            yield number, frame

    def _blank(self) -> Iterator[tuple[int, Frame]]:
        pixels = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (self.info.height, self.info.width, 3))
        for number, time in zip(self._detections.numbers.tolist(), self._times(), strict=True):
            yield number, Frame(pixels, number, time, self.info.time_base, self.info.name)

    def _times(self) -> list[int]:
        """When each frame is shown, in units of the time base."""
        seconds = self._detections.seconds
        if self._rate is not None or seconds is None:
            numbers: list[int] = self._detections.numbers.tolist()
            return numbers
        ticks: list[int] = np.rint(seconds / float(_TICK)).astype(np.int64).tolist()
        return ticks


def _info(sequence: sequences.Sequence) -> StreamInfo:
    rate, count = sequence.rate, len(sequence.detections.numbers)
    return StreamInfo(
        name=sequence.name,
        width=sequence.width,
        height=sequence.height,
        time_base=_TICK if rate is None else 1 / rate,
        rate=rate,
        frames=count,
        duration=None if rate is None else float(count / rate),
    )


def _check_size(sequence: sequences.Sequence, video: StreamInfo) -> None:
    if sequence.sized and (sequence.width, sequence.height) != (video.width, video.height):
        raise UserError(
            f"{sequence.detections.path} is about frames of {sequence.width}x{sequence.height} pixels, but {video.name}"
            f" has {video.width}x{video.height}; give its own video"
        )
