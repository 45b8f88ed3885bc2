"""Sound that is encoded anew: in time whatever is missing or changes, and the same wherever it is gone on with."""

from __future__ import annotations

import cv2  # noqa: F401  # isort: skip  # before av

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamseg.sinks.fragments import Kept
from streamseg.sinks.sound import Shape, Sound

RATE = 48000


def piece(start: float, seconds: float, rate: int = RATE, layout: str = "mono", level: float = 0.5) -> av.AudioFrame:
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    values = np.full((channels, round(seconds * rate)), level, np.float32)
    frame = av.AudioFrame.from_ndarray(values, format="fltp", layout=layout)
    frame.rate, frame.pts, frame.time_base = rate, round(start * rate), Fraction(1, rate)
    return frame


def shaped(pieces: list[av.AudioFrame], layout: str = "mono") -> tuple[int, np.ndarray]:
    """Where the sound begins, samples, and its first channel."""
    shape = Shape(RATE, layout)
    frames = [frame for one in pieces for frame in shape.shaped(one)] + shape.rest()
    assert all(frame.sample_rate == RATE and frame.layout.name == layout for frame in frames)
    return int(frames[0].pts), np.concatenate([frame.to_ndarray()[0] for frame in frames])


def test_what_is_missing_is_silence():
    start, sound = shaped([piece(1.0, 0.5), piece(2.5, 0.5)])
    assert start == RATE and len(sound) == pytest.approx(2 * RATE, abs=64)
    assert np.abs(sound[: RATE // 2 - 64]).min() > 0.4 and np.abs(sound[3 * RATE // 2 + 64 :]).min() > 0.4
    assert np.abs(sound[RATE // 2 + 64 : 3 * RATE // 2 - 64]).max() < 0.01


def test_what_changes_its_kind_goes_on():
    pieces = [piece(0.0, 0.5), piece(0.5, 0.5, 44100, "stereo"), piece(1.0, 0.5, 8000), piece(1.5, 0.5, RATE, "5.1")]
    start, sound = shaped(pieces, "stereo")
    assert start == 0 and len(sound) == pytest.approx(2 * RATE, abs=RATE // 50)
    assert np.abs(sound[1000:-1000]).mean() > 0.2


def write(path: Path, seconds: float = 3.0, start: float = 0.0) -> Path:
    """A file of PCM whose level rises from 0 to 1."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for block in range(round(seconds * RATE / 1000)):
            level = (block * 1000 + np.arange(1000)) / (seconds * RATE)
            tone = np.round(level * 20000 * np.sin(np.arange(1000) * 0.2)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
            frame.rate, frame.pts = RATE, round(start * RATE) + block * 1000
            container.mux(stream.encode(frame))
    return path


def encoded(path: Path, kept: Kept | None = None, step: float = 0.04) -> list[tuple[Fraction, bytes]]:
    """Times and data of the packets that a file's sound is made into, taken step by step."""
    with av.open("/dev/null", "w", format="mp4") as container:
        sound = Sound(path, container)
        if kept is not None:
            sound.resume((kept,), Fraction(0))
        packets = []
        for number in range(200):
            packets += sound.until(Fraction(number) * Fraction(step).limit_denominator(1000))
        packets += sound.finish(None)
        sound.close()
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets]


def test_the_pieces_in_which_it_is_taken_do_not_matter(tmp_path):
    path = write(tmp_path / "a.mkv")
    assert encoded(path) == encoded(path, step=0.1) == encoded(path, Kept())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
@pytest.mark.parametrize("start", [0.0, 1.5])
def test_it_is_gone_on_with_where_it_was(tmp_path, share, start):
    whole = encoded(write(tmp_path / "a.mkv", start=start))
    count = round(share * len(whole))
    rest = encoded(tmp_path / "a.mkv", Kept(count, whole[count][0]))
    assert [when for when, _ in rest] == [when for when, _ in whole[count:]]


def test_copied_sound_is_gone_on_with_by_its_packets(tmp_path, source):
    path = source("a.mp4", sounds=("aac", "aac"), sound_seconds=2.0)
    whole = encoded_all(path)
    rest = encoded_all(path, (Kept(10, Fraction(0)), Kept(25, Fraction(0))))
    assert [data for _, data in rest[0]] == [data for _, data in whole[0][10:]]
    assert [data for _, data in rest[1]] == [data for _, data in whole[1][25:]]


def encoded_all(path: Path, kept: tuple[Kept, ...] | None = None) -> list[list[tuple[Fraction, bytes]]]:
    with av.open("/dev/null", "w", format="mp4") as container:
        sound = Sound(path, container)
        if kept is not None:
            sound.resume(kept, Fraction(0))
        found: dict[int, list[tuple[Fraction, bytes]]] = {}
        for packet in [*sound.until(Fraction(1)), *sound.finish(None)]:
            found.setdefault(packet.stream_index, []).append((packet.pts * packet.time_base, bytes(packet)))
        sound.close()
        return [found[index] for index in sorted(found)]


def test_a_broken_track_is_told_and_the_others_are_taken(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("no media")
    with av.open("/dev/null", "w", format="mp4") as container:
        sound = Sound(path, container)
        assert (sound.tracks, sound.earliest) == ([], 0)
