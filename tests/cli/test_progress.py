from __future__ import annotations

import io
from fractions import Fraction

import pytest

from streamseg.cli.progress import Progress, Speed, line
from streamseg.cli.summary import duration, summary
from streamseg.frame import StreamInfo
from streamseg.pipeline import Statistics


def statistics_of(*infos: StreamInfo) -> Statistics:
    return Statistics(list(infos))


RECORDED = StreamInfo("a.mp4", 2, 2, Fraction(1, 10), frames=100)
LIVE = StreamInfo("camera 0", 2, 2, Fraction(1, 10), live=True)


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.21, "4.2 s"), (59.9, "59.9 s"), (187, "3:07 min"), (3729.4, "1:02:09 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_speed_forgets_what_is_long_ago():
    speed = Speed()
    assert speed.note(0.0, 0) == 0.0
    assert speed.note(1.0, 10) == 10.0
    for second in range(2, 31):
        last = speed.note(float(second), 10)
    assert last == 0.0


def test_a_recorded_source_shows_progress_and_time_left():
    stream = statistics_of(RECORDED).streams[0]
    stream.frames = stream.segmented = 25
    assert line(stream, 5.0, 5.0) == "25/100 frames (25%), 5.0 fps, 15.0 s left"


def test_a_live_source_shows_latency_and_drops():
    stream = statistics_of(LIVE).streams[0]
    stream.frames, stream.segmented, stream.dropped = 25, 25, 3
    stream.latency.add(0.05)
    assert line(stream, 24.9, 24.9) == "25 frames, 24.9 fps, 50 ms behind, 3 dropped"


def test_where_the_model_sees_fewer_frames_both_rates_are_shown():
    recorded, live = statistics_of(RECORDED, LIVE).streams
    recorded.frames, recorded.segmented = 30, 10
    live.frames, live.segmented = 25, 8
    assert line(recorded, 30.0, 10.0) == "30/100 frames (30%), network 10.0 / picture 30.0 fps, 2.3 s left"
    assert line(live, 30.0, 8.12) == "25 frames, network 8.1 / picture 30.0 fps, 0 ms behind, 0 dropped"


def test_elsewhere_than_in_a_terminal_lines_are_plain(monkeypatch):
    monkeypatch.setattr("streamseg.cli.progress._LINE", 0.01)
    statistics, stream = statistics_of(RECORDED), io.StringIO()
    with Progress(statistics, stream) as progress:
        while not stream.getvalue():
            progress._over.wait(0.01)
    assert stream.getvalue().startswith("streamseg: a.mp4: 0/100 frames (0%), 0.0 fps\n")
    assert "\x1b" not in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_for_each_source(monkeypatch):
    monkeypatch.setattr("streamseg.cli.progress._TICK", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    statistics, stream = statistics_of(RECORDED, LIVE), Terminal()
    with Progress(statistics, stream) as progress:
        while "dropped" not in stream.getvalue():
            progress._over.wait(0.01)
    assert "a.mp4" in stream.getvalue() and "camera 0" in stream.getvalue() and "━" in stream.getvalue()


def test_the_summary_tells_what_was_seen_and_lost():
    statistics = statistics_of(RECORDED, LIVE)
    statistics.start()
    statistics.objects.update({"vehicle": 12, "person": 3})
    statistics.identities.update({"vehicle": 1})
    statistics.busy.update({"decode a.mp4": 1.0, "decode camera 0": 0.5, "segment": 3.0})
    statistics.notes.append("wrote out.mp4")
    recorded, live = statistics.streams
    recorded.frames, recorded.segmented, recorded.notes = 1, 1, ["cut off in the middle"]
    recorded.losses["undecodable packets"] = 2
    live.frames, live.segmented, live.dropped = 4, 1, 7
    live.latency.add(0.1)
    statistics.end()
    statistics._ended = statistics._started + 2
    lines = summary(statistics).splitlines()
    assert lines[0] == "5 frames in 2.0 s (2.5 fps)"
    assert lines[1:] == [
        "objects: vehicle 12 (1 ID), person 3",
        "a.mp4: 1 frame",
        "a.mp4: cut off in the middle",
        "camera 0: 4 frames",
        "camera 0: 100 ms from frame to result on average, 100 ms at worst",
        "camera 0: the model saw 1 of 4 frames, the rest is carried on from these (network 0.5 / picture 2.0 fps)",
        "lost: 2 undecodable packets (a.mp4), 7 dropped frames (camera 0)",
        "busy: decode 1.5 s, segment 3.0 s",
        "wrote out.mp4",
    ]


def test_the_summary_tells_what_the_regions_cover():
    statistics = statistics_of(RECORDED)
    statistics.streams[0].frames = statistics.streams[0].segmented = 4
    statistics.covered.update({"car": 0.1, "road": 1.3})
    assert summary(statistics).splitlines()[1] == "regions, share of the frames: road 32.5%, car 2.5%"


def test_a_summary_of_nothing():
    statistics = statistics_of(RECORDED)
    assert summary(statistics).splitlines() == ["0 frames in 0.0 s (0.0 fps)", "nothing seen", "lost: nothing"]
