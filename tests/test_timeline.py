"""One clock for packets whose own jumps: nothing is lost, streams stay in step, and steady ones stay as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamseg.timeline import BACK, ON, Timeline

TICK = Fraction(1, 90000)
VIDEO, SOUND = SimpleNamespace(type="video"), SimpleNamespace(type="audio")


@dataclass
class Packet:
    """What ``Timeline`` reads and writes of a packet."""

    stream_index: int
    dts: int | None
    pts: int | None
    duration: int = 3000
    time_base: Fraction = TICK
    stream: SimpleNamespace = field(default_factory=lambda: VIDEO)


def video(*seconds: float, duration: float = 1 / 30) -> list[Packet]:
    return [Packet(0, round(when * 90000), round(when * 90000), round(duration * 90000)) for when in seconds]


def sound(*seconds: float, duration: float = 0.02) -> list[Packet]:
    return [Packet(1, round(s * 90000), round(s * 90000), round(duration * 90000), stream=SOUND) for s in seconds]


def steps(start: float, count: int, step: float = 1 / 30) -> list[float]:
    return [start + step * number for number in range(count)]


def placed(packets: list[Packet], name: str = "mpegts") -> tuple[list[float], Timeline]:
    timeline = Timeline(name)
    return [float(packet.pts * TICK) for packet in timeline.timed(packets)], timeline


PIECES = {
    "steady": (video(*steps(5, 9)), steps(5, 9), 0, 0),
    "a pause stays": (video(1, 2, 2 + ON / 2), [1, 2, 2 + ON / 2], 0, 0),
    "disorder stays": (video(1, 1.1, 1.1 - BACK / 2, 1.2), [1, 1.1, 1.1 - BACK / 2, 1.2], 0, 0),
    "joined": (video(*steps(1, 3), *steps(0, 3)), steps(1, 6), 1, 0),
    "three joined": (video(*steps(7, 3), *steps(3, 3), *steps(1, 3)), steps(7, 9), 2, 0),
    "leaps by hours": (video(*steps(1, 3), *steps(9000, 3)), steps(1, 6), 1, 0),
    "one odd": (video(1, 2, 5000, 4, 5), [1, 2, 2 + 1 / 30, 4, 5], 0, 1),
}


@pytest.mark.parametrize("case", PIECES)
def test_a_clock_that_jumps_goes_on(case):
    packets, expected, jumps, odd = PIECES[case]
    packets = [Packet(one.stream_index, one.dts, one.pts, one.duration) for one in packets]
    times, timeline = placed(packets)
    assert times == pytest.approx(expected, abs=1e-4)
    assert (timeline.jumps, timeline.odd) == (jumps, odd)


def test_formats_with_an_index_are_let_alone():
    packets = video(*steps(1, 3), *steps(0, 3))
    assert placed(packets, "mov,mp4,m4a,3gp,3g2,mj2")[0] == pytest.approx([*steps(1, 3), *steps(0, 3)], abs=1e-4)


@pytest.mark.parametrize("first", ["video", "sound"])
@pytest.mark.parametrize("late", [0, 2])
def test_sound_stays_with_its_picture(first, late):
    """After the jump, sound and picture are as far apart as they were; late packets of before do no harm."""
    before = video(*steps(9, 30)) + sound(*steps(9, 50 - late, 0.02))
    behind = sound(*steps(9 + 0.02 * (50 - late), late, 0.02))
    picture, noise = video(*steps(0.5, 30)), sound(*steps(0.5, 50, 0.02))
    after = [picture[0], *behind, *picture[1:], *noise] if first == "video" else [*behind, *noise, *picture]
    times, timeline = placed(before + after)
    order = [packet.stream_index for packet in before + after]
    assert timeline.jumps == 1
    new_picture = [time for time, index in zip(times, order, strict=True) if index == 0][30:]
    new_sound = [time for time, index in zip(times, order, strict=True) if index == 1][50:]
    assert new_picture[0] - new_sound[0] == pytest.approx(0, abs=1e-4)
    assert new_picture[0] >= 9 + 1 - 1e-4
    assert new_picture == pytest.approx(steps(new_picture[0], 30), abs=1e-4)


@given(
    st.lists(
        st.tuples(st.floats(0, 90_000), st.integers(2, 20), st.floats(0.01, 0.5)),
        min_size=1,
        max_size=6,
    )
)
def test_within_a_piece_every_step_is_its_own_and_time_never_runs_back_by_much(pieces):
    packets, bounds = [], []
    for start, count, step in pieces:
        packets += video(*steps(start, count, step), duration=step)
        bounds.append(len(packets))
    raw = [packet.pts for packet in packets]
    times, _ = placed(packets)
    assert len(times) == len(raw)
    for index in range(1, len(times)):
        assert times[index] - times[index - 1] > -BACK - 1e-3
        if index not in bounds:
            assert times[index] - times[index - 1] == pytest.approx(
                float((raw[index] - raw[index - 1]) * TICK), abs=1e-4
            )


def test_packets_without_times_and_other_streams_pass():
    subtitle = Packet(2, 90000, 90000, stream=SimpleNamespace(type="subtitle"))
    packets = [*video(10, 11), Packet(0, None, None), *video(0, 1), subtitle]
    done = list(Timeline("mpegts").timed(packets))
    assert [packet.pts and float(packet.pts * TICK) for packet in done[:3]] == [10, 11, None]
    assert float(done[-1].pts * TICK) == pytest.approx(1 + 11 + 1 / 30, abs=1e-3)  # moved as the picture was


def test_a_time_of_showing_far_from_that_of_decoding_is_impossible():
    packets = [*video(1), Packet(0, 180000, 180000 + 90000 * 3000), *video(3)]
    times, timeline = placed(packets)
    assert (times, timeline.odd) == ([1, 2, 3], 1)
