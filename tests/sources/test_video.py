from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.sources import Source, open_source

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"
RED, GREEN, BLUE, WHITE = (230, 30, 30), (30, 200, 40), (40, 50, 220), (240, 240, 240)


def near(found, wanted, tolerance=4):
    return np.abs(np.subtract(found, wanted)).max() <= tolerance


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("bt709.mp4", {}),
        ("bt601.mp4", {"tags": (5, 1)}),
        ("full.mp4", {"tags": (1, 2), "pix_fmt": "yuvj420p"}),
        ("untagged.mp4", {"tags": (2, 0)}),
        ("422.mkv", {"pix_fmt": "yuv422p"}),
        ("10bit.mkv", {"pix_fmt": "yuv420p10le"}),
        ("rgb.mkv", {"pix_fmt": "bgr0", "codec": "ffv1", "tags": (2, 0)}),
        ("odd.mkv", {"size": (65, 49), "pix_fmt": "yuv444p"}),
    ],
)
def test_colours_are_right_whatever_the_pixel_format(clip, colours, name, choices):
    source = open_source(str(clip(name, **choices)))
    frames = list(source)
    assert isinstance(source, Source)
    assert near(colours(frames[-1].image), [RED, GREEN, BLUE, WHITE])
    image = frames[-1].image
    assert image.dtype == np.uint8
    assert image.flags["C_CONTIGUOUS"]
    assert image.shape == (source.info.height, source.info.width, 3)
    assert [frame.index for frame in frames] == list(range(10))


@pytest.mark.parametrize(
    ("choices", "planes"),
    [
        ({}, (1, False)),
        ({"tags": (5, 1)}, (5, False)),
        ({"tags": (1, 2), "pix_fmt": "yuvj420p"}, (1, True)),
        ({"rotation": 90}, (1, False)),
        ({"pix_fmt": "nv12", "codec": "rawvideo"}, (1, False)),
        ({"pix_fmt": "yuv422p"}, None),
        ({"pix_fmt": "yuv420p10le"}, None),
    ],
    ids=str,
)
def test_8_bit_420_stays_planes(clip, choices, planes):
    for frame in open_source(str(clip("clip.mkv" if choices.get("codec") else "clip.mp4", **choices))):
        pixels = frame.pixels
        assert (planes and (pixels.matrix, pixels.full_range)) == planes if planes else isinstance(pixels, np.ndarray)
        assert pixels.shape[:2] == (frame.height, frame.width) == frame.image.shape[:2]
        assert frame.image is frame.image


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(64, 48), (66, 50), (65, 48), (64, 49)])
def test_turning_planes_or_rgb_is_one(clip, rotation, size):
    """Odd sides, at which chroma would move, included."""
    choices = {"pix_fmt": "yuv420p", "codec": "ffv1", "options": {}, "size": size}
    stored = next(iter(open_source(str(clip("stored.mkv", **choices))))).image
    turned = next(iter(open_source(str(clip("turned.mkv", rotation=rotation, **choices)))))
    expected = np.rot90(stored, rotation // 90)
    assert np.abs(turned.image.astype(int) - expected).mean() < 1.5


@pytest.mark.parametrize(("full", "levels"), [(True, (81, 235)), (False, (76, 255))])
def test_grey_follows_its_range(tmp_path, full, levels):
    path = tmp_path / "grey.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, width=64, height=48)
        stream.pix_fmt = "gray"
        stream.codec_context.color_range = 2 if full else 1
        picture = np.full((48, 64), 81, np.uint8)
        picture[:, 32:] = 235
        frame = av.VideoFrame.from_ndarray(picture, format="gray")
        frame.color_range = 2 if full else 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    image = next(iter(open_source(str(path)))).image
    assert near(image[24, 8], levels[0], 1)
    assert near(image[24, 56], levels[1], 1)


@pytest.mark.parametrize(
    ("choices", "size", "corners"),
    [
        ({"rotation": 90}, (48, 64), [GREEN, WHITE, RED, BLUE]),
        ({"rotation": 180}, (64, 48), [WHITE, BLUE, GREEN, RED]),
        ({"rotation": 270}, (48, 64), [BLUE, RED, WHITE, GREEN]),
        ({"mirrored": True}, (64, 48), [GREEN, RED, WHITE, BLUE]),
    ],
)
def test_frames_come_upright(clip, colours, choices, size, corners):
    source = open_source(str(clip(**choices, aspect=Fraction(4, 3))))
    assert (source.info.width, source.info.height) == size
    assert source.info.sample_aspect_ratio == (Fraction(4, 3) if size == (64, 48) else Fraction(3, 4))
    assert all(near(colours(frame.image), corners) for frame in source)


@pytest.mark.parametrize(
    ("name", "pts", "sound"),
    [
        ("even.mp4", range(0, 5120, 512), ""),
        ("variable.mp4", (0, 100, 1100, 1612, 9000), "first"),
        ("offset.mp4", tuple(15360 * 2 + step for step in (0, 512, 5120)), "last"),
        ("single.mp4", (0,), ""),
    ],
)
def test_timestamps_are_the_containers_own(clip, name, pts, sound):
    source = open_source(str(clip(name, pts=pts, sound=sound)))
    frames = list(source)
    # An MP4's edit list counts milliseconds, which is all that may be lost of a start offset.
    assert [frame.seconds for frame in frames] == pytest.approx([when / 15360 for when in pts], abs=0.0006)
    assert [b.pts - a.pts for a, b in itertools.pairwise(frames)] == [b - a for a, b in itertools.pairwise(pts)]
    assert {frame.time_base for frame in frames} == {source.info.time_base} == {Fraction(1, 15360)}
    assert source.info.frames == len(pts)
    assert not source.losses
    assert not source.notes


def test_an_avi_with_b_frames_counts_its_frames_evenly(clip):
    path = clip("b.avi", codec="mpeg4", time_base=Fraction(1, 30), pts=range(20), options={"bf": "2"})
    assert [frame.pts for frame in open_source(str(path))] == list(range(20))


@pytest.mark.parametrize(
    ("name", "frames", "last"),
    [
        ("mmdet_demo_highway.mp4", 67, 2.2),
        ("solidWhiteRight.mp4", 221, 8.8),
        ("vtest_pets09_480x360.avi", 795, 79.4),
    ],
)
def test_real_clips_come_whole(name, frames, last):
    if not CLIPS.is_dir():
        pytest.skip(f"{CLIPS} is not here")
    source = open_source(str(CLIPS / name))
    times = [frame.seconds for frame in source]
    assert (len(times), times[0]) == (frames, 0)
    assert times[-1] == pytest.approx(last)
    assert times == sorted(times)
    assert not source.losses
    assert not source.notes


def faststart(path: Path) -> Path:
    copy = path.with_name("front-" + path.name)
    with av.open(str(path)) as old, av.open(str(copy), "w", container_options={"movflags": "faststart"}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return copy


LONG = {"pts": range(0, 60 * 512, 512), "options": {"g": "12", "bf": "0"}}


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_a_file_cut_in_the_middle_is_read_to_its_last_good_frame(clip, name):
    path = faststart(clip(name, **LONG))
    whole = list(open_source(str(path)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    source = open_source(str(path))
    frames = list(source)
    assert 5 < len(frames) < 55
    for frame, true in zip(frames, whole, strict=False):
        assert frame.pts == true.pts
        assert np.array_equal(frame.image, true.image)
    assert source.notes == [f"cut off in the middle: the last good frame is at {frames[-1].seconds:.2f} s of 2.00 s"]


def test_a_cut_avi_is_measured_by_its_count_of_frames(tmp_path):
    path = tmp_path / "cut.avi"
    noise = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for _ in range(40):
            picture = noise.integers(0, 256, (48, 64, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    whole = open_source(str(path))
    assert (len(list(whole)), whole.notes) == (40, [])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(str(path))
    frames = list(source)
    assert 5 < len(frames) < 35
    [note] = source.notes
    assert note.startswith(f"cut off in the middle: the last good frame is at {frames[-1].seconds:.2f} s of ")
    assert float(note.split()[-2]) == pytest.approx(4.0, abs=0.11)


def test_damaged_packets_are_skipped_and_counted(clip):
    path = faststart(clip(**LONG))
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.dts is not None]
    data = bytearray(path.read_bytes())
    rng = random.Random(3)
    for pos, size in places[24:28]:
        data[pos : pos + size] = rng.randbytes(size)
    path.write_bytes(data)
    source = open_source(str(path))
    frames = list(source)
    assert 40 <= len(frames) < 60
    assert sum(source.losses.values()) == 60 - len(frames)
    assert frames[-1].pts == 59 * 512


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def only_sound(path: Path, cover: bool) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        if cover:
            picture = container.add_stream("mjpeg", rate=1, width=32, height=32)
            picture.pix_fmt = "yuvj420p"
            picture.disposition = 1024
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8)).reformat(format="yuvj420p")
            container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.rate, sound.pts = 48000, 0
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path


def without_index(tmp_path: Path, clip) -> Path:
    path = clip("unfinished.mp4")
    return write(path, path.read_bytes()[: path.stat().st_size // 3])


def a_playlist(tmp_path: Path, clip) -> Path:
    clip("secret.mp4")
    return write(tmp_path / "list.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n")


def a_concat_script(tmp_path: Path, clip) -> Path:
    clip("secret.mp4")
    return write(tmp_path / "list.mp4", b"ffconcat version 1.0\nfile secret.mp4\n")


BAD_FILES = {
    "missing": (lambda folder, clip: folder / "gone.mp4", "no such file"),
    "text": (lambda folder, clip: write(folder / "text.mp4", b"Dear diary,\n" * 99), "not a video"),
    "empty": (lambda folder, clip: write(folder / "empty.mp4", b""), "empty"),
    "zeros": (lambda folder, clip: write(folder / "zeros.mp4", bytes(5000)), "not a video"),
    "sound": (lambda folder, clip: only_sound(folder / "sound.m4a", cover=False), "only sound"),
    "cover art": (lambda folder, clip: only_sound(folder / "sound.mp4", cover=True), "only sound"),
    "no index": (without_index, "moov"),
    "playlist": (a_playlist, "not a video"),
    "concat": (a_concat_script, "not a video"),
    "no image": (lambda folder, clip: write(folder / "text.png", b"no image"), "not an image"),
    "device": (lambda folder, clip: Path("/dev/null"), "not a file"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_line_that_names_it(tmp_path, clip, case):
    make, message = BAD_FILES[case]
    path = make(tmp_path, clip)
    with pytest.raises(UserError, match=message) as error:
        open_source(str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unreadable_file_is_one_line(clip, tmp_path):
    path = clip()
    path.chmod(0)
    ask = (
        "import os, sys, streamseg.sources.video\n"
        "from streamseg.sources import open_source\n"
        "from streamseg.errors import UserError\n"
        "if os.getuid() == 0: os.setuid(65534)\n"  # root may read everything
        "try: open_source(sys.argv[1])\n"
        "except UserError as error: print(error)"
    )
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if os.getuid() == 0 and folder != Path("/tmp"):
            folder.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", ask, str(path)], capture_output=True, text=True)
    assert done.stdout.strip().endswith("cannot be read (Permission denied); check its permissions")
    assert done.stderr == ""


def test_closing_from_another_thread_ends_the_iteration(clip):
    source = open_source(str(clip(pts=range(0, 40 * 512, 512))))
    seen = []
    for frame in source:
        seen.append(frame)
        if len(seen) == 3:
            closer = threading.Thread(target=source.close)
            closer.start()
            closer.join()
    assert len(seen) == 3
    assert not source.notes
    source.close()
