from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import av
import cv2  # noqa: F401  # before av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamseg.errors import UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.planes import Planes, as_rgb
from streamseg.result import Result
from streamseg.sinks import Ending, Sink, VideoFileSink
from streamseg.sinks.encoding import fit

TICK = Fraction(1, 15360)
VARIABLE = (0, 100, 1100, 1612, 9000, 9001, 40000)


def decode(path):
    with av.open(str(path)) as container:
        return [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


def times(path):
    return [when for when, _ in decode(path)]


def boxes(path):
    data, at, kinds = path.read_bytes(), 0, []
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kinds.append(data[at + 4 : at + 8].decode())
        at += length or len(data)
    return kinds


def names(folder):
    return sorted(os.listdir(folder))


@pytest.mark.parametrize(
    ("pts", "time_base"),
    [
        (range(0, 60 * 512, 512), TICK),
        (VARIABLE, TICK),
        ([30 * 15360 + when for when in VARIABLE], TICK),
        (range(7, 50), Fraction(1, 25)),
        (range(5, 40), Fraction(1001, 30000)),
        ([0, 33, 67, 100, 133, 500], Fraction(1, 1000)),
        ([0, 40_000, 81_234], Fraction(1, 1_000_000)),
        ([3], Fraction(1, 25)),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_timestamps_are_the_sources_own(tmp_path, feed, pts, time_base, suffix):
    path = tmp_path / f"out.{suffix}"
    sink = VideoFileSink(path)
    assert isinstance(sink, Sink)
    assert feed(sink, pts, time_base=time_base) == [f"wrote {path}"]
    exact = 1e-9 if suffix != "mkv" else 0.0006  # Matroska counts milliseconds
    assert times(path) == pytest.approx([float(when * time_base) for when in pts], abs=exact)
    assert names(tmp_path) == [path.name]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 900_000), min_size=1, max_size=12, unique=True))
def test_any_rising_timestamps_survive(tmp_path_factory, feed, pts):
    path = tmp_path_factory.mktemp("any") / "out.mp4"
    feed(VideoFileSink(path), sorted(pts))
    assert times(path) == pytest.approx([when / 15360 for when in sorted(pts)], abs=1e-9)


def test_the_last_frame_keeps_its_duration(tmp_path, feed):
    feed(VideoFileSink(tmp_path / "out.mp4"), [0, 512, 1024], duration=7680)
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.duration * stream.time_base == Fraction(1024 + 7680, 15360)


def test_timestamps_that_do_not_rise_are_moved_and_counted(tmp_path, feed):
    notes = feed(VideoFileSink(tmp_path / "out.mp4"), [0, 512, 512, 300, 1024])
    assert times(tmp_path / "out.mp4") == pytest.approx([when / 15360 for when in (0, 512, 513, 514, 1024)])
    assert notes[0].startswith("2 frames had timestamps out of order")


def test_a_clock_that_jumps_back_goes_on(tmp_path, feed):
    notes = feed(VideoFileSink(tmp_path / "out.mp4"), [90000, 90512, 0, 512, 1024])
    steps = np.diff(times(tmp_path / "out.mp4")) * 15360
    assert steps == pytest.approx([512] * 4)
    assert "jumped back 1 times" in notes[0]


def test_a_broadcast_clock_starts_at_zero_and_says_so(tmp_path, feed):
    pts, about = [90000 * 5000, 90000 * 5000 + 3000], {"time_base": Fraction(1, 90000), "broadcast": True}
    notes = feed(VideoFileSink(tmp_path / "out.mp4"), pts, **about)
    assert times(tmp_path / "out.mp4") == pytest.approx([0, 1 / 30])
    assert "starts at 5000.00 s" in notes[0]


def test_colours_and_their_tags_are_right(tmp_path, feed, make_result):
    path = tmp_path / "out.mp4"
    feed(VideoFileSink(path, crf=1), range(0, 5 * 512, 512), size=(320, 240))
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert context.pix_fmt == "yuv420p"
    for number, frame in enumerate(frames):
        rgb = frame.reformat(
            format="rgb24", src_colorspace=1, dst_colorspace=1, src_color_range=1, dst_color_range=2
        ).to_ndarray()
        assert np.abs(rgb.astype(int) - make_result(number, 0, size=(320, 240)).frame.image).mean() < 3


def planes_of(size, matrix, full_range, number=0):
    width, height = size
    y, x = np.mgrid[:height, :width]
    luma = ((x + y + 10 * number) % 200 + 20).astype(np.uint8)
    half = luma[: -(-height // 2), : -(-width // 2)]
    return Planes(luma, np.ascontiguousarray(half), 255 - half, matrix, full_range)


@pytest.mark.parametrize(("matrix", "tags"), [(1, (1, 1, 1)), (5, (6, 6, 6)), (9, (9, 9, 14))])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("size", [(320, 240), (63, 47)])
def test_planes_are_encoded_as_they_are(tmp_path, matrix, tags, full_range, size):
    """Without loss in a lossless file, odd sides included, and tagged with what they were."""
    pictures = [planes_of(size, matrix, full_range, number) for number in range(3)]
    sink = VideoFileSink(tmp_path / "out.mp4", crf=0, preset="ultrafast")
    sink.open(StreamInfo("test", *size, TICK))
    for number, planes in enumerate(pictures):
        frame = Frame(planes, number, 512 * number, TICK)
        sink.write(Result(frame, Instances.empty(), lambda frame, found: frame.pixels))
    sink.close()
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = list(container.decode(video=0))
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == tags
        assert context.color_range == (2 if full_range else 1)
    for frame, planes in zip(frames, pictures, strict=True):
        for plane, expected in zip(frame.planes, (planes.y, planes.u, planes.v), strict=True):
            rows, columns = expected.shape
            found = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:rows, :columns]
            assert np.array_equal(found, expected)


def test_a_picture_unlike_the_first_is_converted(tmp_path):
    pictures = [planes_of((64, 48), 1, False), planes_of((64, 48), 5, True), planes_of((32, 48), 1, False)]
    pictures.append(pictures[0].to_rgb())
    sink = VideoFileSink(tmp_path / "out.mp4", crf=1)
    sink.open(StreamInfo("test", 64, 48, TICK))
    for number, picture in enumerate(pictures):
        frame = Frame(picture, number, 512 * number, TICK)
        sink.write(Result(frame, Instances.empty(), lambda frame, found: frame.pixels))
    sink.close()
    found = [image for _, image in decode(tmp_path / "out.mp4")]
    for index in (0, 1, 3):
        assert np.abs(found[index].astype(int) - as_rgb(pictures[index])).mean() < 6
    assert not found[2][:, :14].any() or found[2][:, :14].max() < 12  # centred on black


@pytest.mark.parametrize("size", [(63, 47), (64, 47), (63, 48), (1, 1)])
def test_odd_sides_get_one_more_row_or_column(tmp_path, feed, size):
    feed(VideoFileSink(tmp_path / "out.mp4"), [0, 512], size=size)
    shape = decode(tmp_path / "out.mp4")[0][1].shape
    assert shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)


def test_the_shape_of_pixels_is_kept(tmp_path, feed):
    feed(VideoFileSink(tmp_path / "out.mp4"), [0, 512], sample_aspect_ratio=Fraction(4, 3))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize(
    ("shape", "inside"), [((48, 64), (0, 48, 0, 64)), ((96, 128), (0, 48, 0, 64)), ((20, 80), (16, 32, 0, 64))]
)
def test_pictures_of_another_size_keep_their_aspect(shape, inside):
    top, bottom, left, right = inside
    canvas = fit(np.full((*shape, 3), 200, np.uint8), 64, 48)
    assert canvas.shape == (48, 64, 3)
    assert (canvas[top:bottom, left:right] == 200).all()
    assert (canvas == 200).all(-1).sum() == (bottom - top) * (right - left)


def info_of(path, **other):
    return StreamInfo("test", 64, 48, TICK, rate=Fraction(30), path=path, **other)


def annotate(path, out, make_result, pts, ending=Ending.END):
    sink = VideoFileSink(out)
    sink.open(info_of(path))
    for number, when in enumerate(pts):
        sink.write(make_result(number, when))
    return sink.close(ending=ending)


WHOLE = tuple(range(0, 30 * 512, 512))


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("after.mp4", {}),
        ("before.mp4", {"first": True}),
        ("apart.mp4", {"apart": True}),
        ("two.mp4", {"sounds": ("aac", "aac"), "first": True}),
        ("two-apart.mkv", {"sounds": ("aac", "flac"), "apart": True}),
        ("mp3.mkv", {"sounds": ("libmp3lame",)}),
        ("ac3.mkv", {"sounds": ("ac3",)}),
        ("flac.mkv", {"sounds": ("flac",)}),
        ("longer.mp4", {"sound_seconds": 3.0}),
        ("shorter.mp4", {"sound_seconds": 0.3}),
        ("variable.mp4", {"pts": VARIABLE}),
        ("offset.mp4", {"pts": tuple(when + 20 * 15360 for when in WHOLE)}),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_is_copied_packet_for_packet(tmp_path, source, make_result, packets, name, choices, suffix):
    path, out = source(name, **choices), tmp_path / f"out.{suffix}"
    pts = choices.get("pts", WHOLE)
    assert annotate(path, out, make_result, pts) == [f"wrote {out}"]
    before, after = packets(path, "audio"), packets(out, "audio")
    assert [[data for _, data in track] for track in after] == [[data for _, data in track] for track in before]
    tolerance = 0.0006 if "mkv" in (suffix, path.suffix[1:]) else 1e-4
    for old, new in zip(before, after, strict=True):
        assert [when for when, _ in new] == pytest.approx([when for when, _ in old], abs=tolerance)
    assert times(out) == pytest.approx([when / 15360 for when in pts], abs=0.0006)


def test_bare_aac_of_a_transport_stream_is_copied(tmp_path, source, make_result, packets):
    path, out = source("a.ts", time_base=Fraction(1, 90000), pts=range(0, 90000, 3000)), tmp_path / "out.mp4"
    annotate(path, out, make_result, range(1024, 1024 + 30 * 512, 512))  # its muxer delays the picture by 2 frames
    before, after = packets(path, "audio")[0], packets(out, "audio")[0]
    assert [data for _, data in after] == [data[7:] for _, data in before]  # less the header of each packet


@pytest.mark.parametrize("codec", ["pcm_s16le", "mp2", "libopus"])
def test_sound_that_players_do_not_follow_in_mp4_becomes_aac(tmp_path, source, make_result, packets, codec):
    path, out = source("a.mkv", sounds=(codec,), sound_seconds=2.0), tmp_path / "out.mp4"
    notes = annotate(path, out, make_result, WHOLE)
    assert "encoded anew as AAC" in notes[0]
    with av.open(str(out)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "aac"
        assert float(stream.duration * stream.time_base) == pytest.approx(2.0, abs=0.05)


def test_sound_ends_with_a_picture_that_was_stopped_early(tmp_path, source, make_result, packets):
    path, out = source(sound_seconds=4.0), tmp_path / "out.mp4"
    annotate(path, out, make_result, WHOLE[:10], Ending.STOPPED)
    starts = [when for when, _ in packets(out, "audio")[0]]
    assert 0.28 < starts[-1] < 10 / 30
    assert starts == pytest.approx([when for when, _ in packets(path, "audio")[0]][: len(starts)], abs=1e-4)


def test_sound_goes_on_after_every_third_frame(tmp_path, source, make_result, packets):
    path, out = source(sound_seconds=4.0), tmp_path / "out.mp4"
    annotate(path, out, make_result, WHOLE[::4])
    assert len(packets(out, "audio")[0]) == len(packets(path, "audio")[0])


def test_a_finished_file_has_its_index_first_and_no_fragments(tmp_path, source, make_result):
    annotate(source(), tmp_path / "out.mp4", make_result, WHOLE)
    kinds = boxes(tmp_path / "out.mp4")
    assert kinds.index("moov") < kinds.index("mdat")
    assert "moof" not in kinds


def test_what_a_killed_run_leaves_can_be_played_and_is_not_overwritten(tmp_path, feed):
    code = """
        import sys, time, numpy as np
        from fractions import Fraction
        from streamseg.frame import Frame, StreamInfo
        from streamseg.instances import Instances
        from streamseg.result import Result
        from streamseg.sinks import VideoFileSink
        sink = VideoFileSink(sys.argv[1])
        sink.open(StreamInfo("x", 64, 48, Fraction(1, 30), rate=Fraction(30)))
        for k in range(200):
            frame = Frame(np.full((48, 64, 3), k, np.uint8), k, k, Fraction(1, 30))
            sink.write(Result(frame, Instances.empty(), lambda f, i: f.image))
        print("ready", flush=True)
        time.sleep(60)
    """
    path = tmp_path / "out.mp4"
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert names(tmp_path) == [".out.mp4.part"]
    assert len(times(tmp_path / ".out.mp4.part")) >= 120  # all but the last seconds
    notes = feed(VideoFileSink(path), [0, 512])
    assert notes[0] == "an earlier run did not finish out.mp4; its part is kept as out.partial.mp4"
    assert names(tmp_path) == ["out.mp4", "out.partial.mp4"]
    assert len(times(tmp_path / "out.partial.mp4")) >= 120


def test_without_a_frame_there_is_no_file(tmp_path, feed):
    notes = feed(VideoFileSink(tmp_path / "out.mp4"), [])
    assert "no frame came" in notes[0]
    assert names(tmp_path) == []


def test_closing_twice_and_unopened_is_harmless(tmp_path, feed):
    sink = VideoFileSink(tmp_path / "out.mp4")
    assert sink.close(ok=False) == []
    sink = VideoFileSink(tmp_path / "out.mp4")
    feed(sink, [0])
    assert sink.close() == []
    assert names(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize(("ok", "older_stays"), [(True, False), (False, True)])
def test_after_a_failure_an_older_file_stays(tmp_path, feed, ok, older_stays):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"older")
    notes = feed(VideoFileSink(path, overwrite=True), [0, 512], ok=ok)
    assert (path.read_bytes() == b"older") is older_stays
    new = tmp_path / "out.partial.mp4" if older_stays else path
    assert len(times(new)) == 2
    assert (new.name in notes[0]) and len(names(tmp_path)) == 1 + older_stays


def test_one_file_holds_one_source(tmp_path):
    sink = VideoFileSink(tmp_path / "out.mp4")
    sink.open(info_of(None))
    with pytest.raises(UserError, match="one source only"):
        sink.open(info_of(None))
    sink.close(ok=False)
    assert names(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path):
    if os.getuid() != 0 or sys.platform != "linux":
        pytest.skip("needs root to mount a file system of 300 kB")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("may not mount here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def noise(number, make_result):
    result = make_result(number, number * 512)
    result.frame.image[:] = np.random.default_rng(number).integers(0, 255, result.frame.image.shape, np.uint8)
    return result


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_full_disk_is_one_line_and_leaves_what_was_whole(small_disk, make_result, suffix):
    path = small_disk / f"out.{suffix}"
    path.write_bytes(b"older")
    sink = VideoFileSink(path, crf=5, overwrite=True)
    sink.open(info_of(None))
    with pytest.raises(UserError, match="No space left") as error:
        for number in range(500):
            sink.write(noise(number, make_result))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert sink.close(ok=False) == []
    assert path.read_bytes() == b"older"
    assert names(small_disk) == [f"out.{suffix}", f"out.partial.{suffix}"]
    assert len(times(small_disk / f"out.partial.{suffix}")) >= 10


def test_no_room_for_the_second_pass_leaves_the_fragments_under_the_final_name(small_disk, make_result):
    sink = VideoFileSink(small_disk / "out.mp4", crf=5)
    sink.open(info_of(None))
    for number in range(25):
        sink.write(noise(number, make_result))
    disk = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(max(0, disk.f_bavail * disk.f_bsize - 60_000)))
    notes = sink.close()
    assert "left in fragments" in notes[1]
    assert names(small_disk) == ["ballast", "out.mp4"]
    assert len(times(small_disk / "out.mp4")) == 25


def test_any_error_of_the_disk_is_one_line(tmp_path, make_result, monkeypatch):
    sink = VideoFileSink(tmp_path / "out.mp4")
    sink.open(info_of(None))
    sink.write(make_result(0, 0))

    def broken(*args):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("streamseg.sinks.part.Encoder.encode", broken)
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "out.mp4"))):
        sink.write(make_result(1, 512))
    assert not (tmp_path / "out.mp4").exists()


CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"


def test_a_real_clip_keeps_its_sound_beside_the_first_second(tmp_path, packets):
    # Its sound is the first stream; the frames themselves are the sources' business.
    clip = CLIPS / "solidWhiteRight.mp4"
    if not clip.exists():
        pytest.skip(f"{clip} is not here")
    from streamseg.frame import Frame
    from streamseg.instances import Instances
    from streamseg.result import Result

    sink = VideoFileSink(tmp_path / "out.mp4")
    sink.open(StreamInfo("clip", 64, 36, Fraction(1, 25), rate=Fraction(25), path=clip))
    for number in range(25):
        frame = Frame(np.full((36, 64, 3), number, np.uint8), number, number, Fraction(1, 25))
        sink.write(Result(frame, Instances.empty(), lambda frame, instances: frame.image))
    sink.close(ending=Ending.LIMIT)
    before, after = packets(clip, "audio")[0], packets(tmp_path / "out.mp4", "audio")[0]
    assert after == before[: len(after)]
    assert 0.97 < after[-1][0] < 1
