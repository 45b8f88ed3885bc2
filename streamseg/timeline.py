"""One clock for the packets of a container whose own clock jumps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

BACK = 0.25
"""Seconds by which time must run back to be a jump; less is disorder."""

ON = 3600.0
"""Seconds by which it must leap ahead to be one; less is a pause in the recording."""

_ODD = 10.0  # seconds by which it must leap ahead for a look at whether the next packet agrees
_MOST_HELD = 500  # packets, while that one is looked for
_STEADY = ("mov",)  # these keep an index of durations, in which time cannot jump


@dataclass(slots=True)
class _Lane:
    """One stream: what is added to its times, when its last packet ended by its own clock, and how long that was."""

    offset: Fraction
    end: float
    step: float = 0.0


class Timeline:
    """Times of packets without the jumps of a clock that begins anew.

    Recordings joined byte by byte (MPEG-TS above all), cameras that were restarted, and clocks that overflow jump back
    or by hours. After such a jump all streams go on where the latest of them had ended, and stay as they were to one
    another. A single packet that is out of all proportion is given the time at which it was due. What reads the same
    packets gives them the same times.

    Args:
        format_name: FFmpeg's name of the container's format.

    Attributes:
        jumps: How often the clock began anew.
        odd: How many single packets had a time that could not be.
    """

    def __init__(self, format_name: str) -> None:
        self.jumps = 0
        self.odd = 0
        self._steady = format_name.startswith(_STEADY)
        self._lanes: dict[int, _Lane] = {}
        self._newest = Fraction(0)

    def timed(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Yield the packets of all streams of a container, in their order, with their times set right."""
        if self._steady:
            yield from packets
            return
        held: deque[Any] = deque()  # the first of them leaps ahead
        for packet in packets:
            if not held:
                if self._leaps(packet):
                    held.append(packet)
                else:
                    yield self._placed(packet)
                continue
            held.append(packet)
            if packet.stream_index == held[0].stream_index and _time(packet) is not None:
                self._judge(held[0], packet)
            elif len(held) < _MOST_HELD:
                continue
            yield from self._let_go(held)
        yield from self._let_go(held)

    def _let_go(self, held: deque[Any]) -> Iterator[Any]:
        while held:
            yield self._placed(held.popleft())

    def _leaps(self, packet: Any) -> bool:
        lane, time = self._lanes.get(packet.stream_index), _time(packet)
        return lane is not None and time is not None and time - lane.end > _ODD and _counts(packet)

    def _judge(self, odd: Any, following: Any) -> None:
        """Whether a packet that leaps ahead is alone in that: then it is given the time when it was due."""
        lane, time = self._lanes[odd.stream_index], _time(following)
        assert time is not None
        if -BACK < time - lane.end < _ODD:
            self.odd += 1
            odd.pts = odd.dts = round(lane.end / odd.time_base)

    def _placed(self, packet: Any) -> Any:
        time = _time(packet)
        if time is None:
            return packet
        if packet.pts is not None and packet.dts is not None and _counts(packet):
            apart = float((packet.pts - packet.dts) * packet.time_base)
            if abs(apart) > _ODD:
                self.odd += 1
                packet.pts = packet.dts
        lane = self._lane(packet, time)
        length = float((packet.duration or 0) * packet.time_base)
        lane.step = length or max(0.0, time - lane.end)
        lane.end = time + length
        if lane.offset:
            ticks = round(lane.offset / packet.time_base)
            packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks
        return packet

    def _lane(self, packet: Any, time: float) -> _Lane:
        lane = self._lanes.get(packet.stream_index)
        if lane is None:
            lane = self._lanes[packet.stream_index] = _Lane(self._newest, time)
        elif not _counts(packet):
            lane.offset = self._newest
        elif lane.offset != self._newest and self._fits_newest(lane, time):
            lane.offset, lane.end = self._newest, time
        elif not -BACK <= time - lane.end <= ON:
            self.jumps += 1
            latest = max(each.end + float(each.offset) for each in self._lanes.values())
            self._newest = Fraction(round((latest - time) * 1_000_000), 1_000_000)
            lane.offset, lane.end = self._newest, time
        return lane

    def _fits_newest(self, lane: _Lane, time: float) -> bool:
        """Whether a stream has jumped, too, after another."""
        gap = time + float(self._newest) - (lane.end + float(lane.offset))
        return -BACK <= gap <= _ODD and abs(gap) < abs(time - lane.end)


def _time(packet: Any) -> float | None:
    when = packet.dts if packet.dts is not None else packet.pts
    return None if when is None else float(when * packet.time_base)


def _counts(packet: Any) -> bool:
    """Whether a stream's packets come so regularly that a jump of theirs says something."""
    return packet.stream.type in ("video", "audio")
