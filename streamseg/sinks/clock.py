"""From the source's timestamps to those of a file, which must rise."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from streamseg.frame import Frame

_JUMP_BACK = Fraction(1)


@dataclass(slots=True)
class Clock:
    """Timestamps of the output.

    Attributes:
        time_base: Seconds per unit of the output's timestamps.
        gap: Between the last two frames; before there are two, what is usual.
        last: The last timestamp; None before the first.
        duration: How long the last frame is shown.
    """

    time_base: Fraction
    gap: int = 1
    last: int | None = None
    duration: int = 1
    forward: int = 0
    nudged: int = 0
    jumps: int = 0

    def tick(self, frame: Frame) -> int:
        """The frame's timestamp in the output."""
        pts = frame.pts
        if frame.time_base != self.time_base:
            pts = round(frame.pts * frame.time_base / self.time_base)
        pts += self.forward
        if self.last is not None and pts <= self.last:
            moved = self.last + 1
            if (self.last - pts) * self.time_base > _JUMP_BACK:
                moved = self.last + self.gap
                self.forward += moved - pts
                self.jumps += 1
            else:
                self.nudged += 1
            pts = moved
        self.gap = pts - self.last if self.last is not None else self.gap
        self.last = pts
        duration = frame.duration and round(frame.duration * frame.time_base / self.time_base)
        self.duration = duration or self.gap
        return pts

    def notes(self) -> list[str]:
        """What was changed."""
        lines = []
        if self.nudged:
            lines.append(f"{self.nudged} frames had timestamps out of order and were moved forward")
        if self.jumps:
            lines.append(f"the timestamps jumped back {self.jumps} times; the output goes on without the jump")
        return lines
