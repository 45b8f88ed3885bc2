"""Every kind of footage through the command line: nothing of it is lost, as other programs see it.

Sources are made and results are read by Debian's ffmpeg; each picture carries its number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from numbered import beeps, beeps_input, ffmpeg, needs_ffmpeg, numbers, packets, probe, streams, times, video

from streamseg.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")

H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12")
WITH_SOUND = ("-map", "0:v", "-map", "1:a")
FLAGS = [
    *("--model", "street", "--device", "cpu", "--precision", "fp32", "--input-size", "64"),
    *("--tracker", "none", "--score-threshold", "1", "--quiet"),
]


@dataclass(frozen=True)
class Case:
    """A kind of footage.

    Attributes:
        name: The file.
        sound: Codec of each sound track; empty for none.
        heard: What becomes of each; the same where not given.
        about: What ``video`` of the support module takes.
        timed: Whether ffprobe tells the source's times.
        said: A part of a line that the summary must have.
    """

    name: str
    sound: Sequence[str] = ()
    heard: Sequence[str] = ()
    about: dict[str, Any] = field(default_factory=dict)
    timed: bool = True
    said: str = ""

    def make(self, folder: Path) -> Path:
        about = dict(self.about)
        options = list(about.pop("options", ()))
        inputs = list(about.pop("inputs", ()))
        if self.sound:
            inputs += beeps_input(about.pop("seconds", 1.0), about.pop("channels", 1), about.pop("hertz", 48000))
            options = [*WITH_SOUND, "-c:a", self.sound[0], *options]
        return video(folder / self.name, inputs=inputs, options=options, codec=about.pop("codec", H264), **about)


def _10_bit(codec: str) -> tuple[str, ...]:
    return ("-c:v", codec, "-pix_fmt", "yuv420p10le")


X265 = ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "log-level=error:keyint=12")
MILLISECONDS = ("-fps_mode", "passthrough", "-enc_time_base", "1:1000")
VARIABLE = {"options": ("-vf", "settb=1/1000,setpts=N*40+N*N*7", *MILLISECONDS)}
FIELDS = ("-flags", "+ildct+ilme")

CASES = [
    Case("constant.mp4", ["aac"]),
    Case("ntsc.mp4", ["aac"], about={"rate": "30000/1001"}),
    Case("film.mkv", ["ac3"], about={"rate": "24000/1001"}),
    Case("variable.mp4", about=VARIABLE),
    Case("variable.mkv", about=VARIABLE),
    Case("offset.mp4", ["aac"], about={"options": ("-output_ts_offset", "5")}),
    Case("offset.mkv", ["aac"], about={"options": ("-output_ts_offset", "100")}),
    Case("plain.ts", ["aac"]),
    Case("b-frames.mp4", ["aac"], about={"codec": (*H264, "-bf", "3", "-x264-params", "open-gop=1")}),
    Case("hevc.mp4", ["mp3"], about={"codec": (*X265, "-tag:v", "hvc1")}),
    Case("five-one.mp4", ["eac3"], about={"channels": 6}),
    Case("lossless.mov", ["alac"], about={"channels": 2}),
    Case("lossless.mkv", ["flac"], about={"channels": 2}),
    Case("pcm.mov", ["pcm_s16le"], ["aac"], about={"channels": 2}, said="(pcm_s16le) was encoded anew as AAC"),
    Case("pcm.avi", ["pcm_s16le"], ["aac"], about={"channels": 2}, timed=False),
    Case("law.avi", ["pcm_mulaw"], ["aac"], about={"hertz": 8000}, timed=False),
    Case("opus.mkv", ["libopus"], ["aac"], about={"channels": 2}, said="(opus) was encoded anew as AAC"),
    Case("mp2.ts", ["mp2"], ["aac"]),
    Case("window.wmv", ["wmav2"], ["aac"], about={"codec": ("-c:v", "wmv2", "-q:v", "3"), "hertz": 44100}),
    Case("flash.flv", ["aac"], about={"hertz": 44100}),
    Case("odd.mkv", about={"size": (161, 97), "codec": ("-c:v", "libx264", "-pix_fmt", "yuv444p")}),
    Case("tiny.mkv", about={"size": (16, 16), "count": 20}),
    Case("wide.mkv", about={"size": (4096, 64), "count": 8}),
    Case("tall.mkv", about={"size": (96, 160)}),
    Case("4k.mkv", about={"size": (3840, 2160), "count": 4}),
    Case("shape.mp4", about={"options": ("-vf", "setsar=4/3")}),
    Case("10-bit.mkv", about={"codec": _10_bit("libx264")}),
    Case("4-2-2.mkv", about={"codec": ("-c:v", "libx264", "-pix_fmt", "yuv422p")}),
    Case("4-4-4.mkv", about={"codec": ("-c:v", "libx264", "-pix_fmt", "yuv444p")}),
    Case("grey.mkv", about={"codec": ("-c:v", "libx264", "-pix_fmt", "gray")}),
    Case("fields.mp4", about={"codec": (*H264, *FIELDS, "-x264opts", "tff=1")}, said="fields of a frame are merged"),
    Case("fields.ts", about={"codec": ("-c:v", "mpeg2video", *FIELDS, "-b:v", "2M")}, said="interlaced"),
    Case("moving.gif", about={"codec": ("-c:v", "gif"), "rate": "10"}),
    Case("motion.avi", ["pcm_s16le"], ["aac"], about={"codec": ("-c:v", "mjpeg", "-q:v", "3"), "channels": 2}),
    Case("b-frames.avi", ["mp3"], about={"codec": ("-c:v", "mpeg4", "-bf", "2", "-q:v", "3")}, timed=False),
    Case("raw.h264", about={"codec": (*H264, "-bf", "2"), "options": ("-f", "h264")}, timed=False),
    Case("short-sound.mp4", ["aac"], about={"seconds": 0.4, "count": 60}),
    Case("long-sound.mp4", ["aac"], about={"seconds": 3}),
]


def annotate(source: Path, folder: Path, capsys: Any, name: str = "out.mp4", *more: str) -> tuple[Path, list[str]]:
    """Annotate a file by the command line; the output and what was said."""
    output = folder / name
    assert main(["--source", str(source), "--output", str(output), *FLAGS, *more]) == 0
    return output, capsys.readouterr().err.splitlines()


def same_times(found: Sequence[float], expected: Sequence[float]) -> bool:
    return len(found) == len(expected) and all(abs(a - b) < 0.001 for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_picture_at_its_time_and_the_sound_beside_it(case, tmp_path, capsys):
    source = case.make(tmp_path)
    count = case.about.get("count", 30)
    output, said = annotate(source, tmp_path, capsys)
    assert any(line.startswith(f"{count} frames in ") for line in said)
    assert "lost: nothing" in said and any(case.said in line for line in said)
    size = case.about.get("size", (160, 96))
    assert numbers(output, crop=size) == list(range(count))
    rate = case.about.get("rate", "30")
    expected = times(source) if case.timed else [number / int(rate) for number in range(count)]
    assert same_times(times(output), expected)
    codecs = [stream["codec_name"] for stream in streams(output, "audio")]
    assert codecs == list(case.heard or [codec.removeprefix("lib") for codec in case.sound])
    for track, codec in enumerate(case.sound):
        if not case.heard:
            before, after = (packets(path, f"a:{track}") for path in (source, output))
            bare = source.suffix == ".ts" and codec == "aac"  # there each has a header, which MP4 has once
            assert len(after) == len(before) and (bare or [p[1] for p in after] == [p[1] for p in before])
            assert same_times([when for when, _ in after], [when for when, _ in before])
        assert beeps(output, track) == pytest.approx(beeps(source, track), abs=0.003)


JOINED = {
    "again from the start": ((), 0.0),
    "an hour on": (("-output_ts_offset", "3000"), 3000.0),
    "a day on": (("-output_ts_offset", "86000"), 0.0),
}


@pytest.mark.parametrize("case", JOINED)
def test_recordings_joined_byte_by_byte(case, tmp_path, capsys):
    """Each picture at its distance from those before it in its own recording; the sound jumps with it."""
    options, later = JOINED[case]
    parts = [
        video(tmp_path / f"{n}.ts", numbers=range(30 * n, 30 * n + 30), inputs=beeps_input(1.0), options=more)
        for n, more in enumerate([(*WITH_SOUND, "-c:a", "aac"), (*WITH_SOUND, "-c:a", "aac", *options)])
    ]
    source = tmp_path / "joined.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    output, said = annotate(source, tmp_path, capsys)
    assert numbers(output) == list(range(60))
    found = times(output)
    assert found == sorted(found) and len(set(found)) == 60
    for start in (0, 30):
        steps = [found[start + n + 1] - found[start + n] for n in range(29)]
        assert steps == pytest.approx([1 / 30] * 29, abs=0.001)
    assert found[30] - found[29] == pytest.approx(later + 1 / 30, abs=0.15 if not later else 1.2)
    assert any("began anew 1 times" in line for line in said) == (later == 0)
    heard = beeps(output)
    assert len(heard) == 4
    assert heard[2] - found[30] == pytest.approx(heard[0] - found[0], abs=0.005)


def test_edit_lists(tmp_path, capsys):
    """What an MP4 cuts off its beginning stays cut off, and sound stays with its picture."""
    options = (*WITH_SOUND, "-c:a", "aac")
    whole = video(tmp_path / "w.mp4", 60, inputs=beeps_input(2.0), options=options, codec=(*H264, "-bf", "2"))
    source = tmp_path / "cut.mp4"
    ffmpeg("-ss", "0.75", "-i", whole, "-c", "copy", source)
    output, _ = annotate(source, tmp_path, capsys)
    assert numbers(output) == numbers(source) == list(range(23, 60))
    assert same_times(times(output), times(source))
    assert beeps(output) == pytest.approx(beeps(source), abs=0.003)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_phones_rotation(turn, tmp_path, capsys):
    flat = video(tmp_path / "flat.mp4", 8)
    source = tmp_path / "phone.mp4"
    ffmpeg("-i", flat, "-c", "copy", "-metadata:s:v", f"rotate={turn}", source)
    records = tmp_path / "out.jsonl"
    output, _ = annotate(source, tmp_path, capsys, "out.mp4", "--records", str(records))
    [stream] = streams(output, "video")
    assert (stream["width"], stream["height"]) == ((96, 160) if turn in (90, 270) else (160, 96))
    assert "side_data_list" not in stream
    back = {90: "transpose=1", 180: "hflip,vflip", 270: "transpose=2"}[turn]
    for path, copy in ((source, tmp_path / "a.mkv"), (output, tmp_path / "b.mkv")):
        ffmpeg("-i", path, "-vf", back, copy)
        assert numbers(copy) == list(range(8))


def test_a_picture_that_changes_size_goes_on_in_the_first_ones(tmp_path, capsys):
    source = tmp_path / "sizes.ts"
    video(tmp_path / "a.ts", 12)
    video(tmp_path / "b.ts", numbers=range(12, 24), size=(320, 192), options=("-output_ts_offset", "0.5"))
    source.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    output, said = annotate(source, tmp_path, capsys)
    assert numbers(output) == list(range(24))
    assert {(stream["width"], stream["height"]) for stream in streams(output, "video")} == {(160, 96)}
    assert any(line.startswith("24 frames in ") for line in said)


def test_several_tracks_and_languages(tmp_path, capsys):
    languages = ("-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra", "-metadata:s:a:1", "title=Zwei")
    options = ("-map", "1:a", "-map", "0:v", "-map", "2:a", "-c:a:0", "aac", "-c:a:1", "pcm_s16le", *languages)
    source = video(tmp_path / "two.mkv", inputs=[*beeps_input(1.0), *beeps_input(1.0, 2)], options=options)
    output, _ = annotate(source, tmp_path, capsys)
    found = streams(output, "audio")
    assert [(stream["codec_name"], stream["tags"]["language"]) for stream in found] == [("aac", "deu"), ("aac", "fra")]
    assert probe(output)["streams"][0]["codec_type"] == "video"
    for track in (0, 1):
        assert beeps(output, track) == pytest.approx(beeps(source, track), abs=0.003)


def test_a_folder_of_pictures_in_the_order_of_their_numbers(tmp_path, capsys):
    needs_ffmpeg()
    folder = tmp_path / "shots"
    folder.mkdir()
    clip = video(tmp_path / "clip.mkv", 12, codec=("-c:v", "ffv1"))
    ffmpeg("-i", clip, "-start_number", "0", folder / "shot%d.png")  # shot10 comes before shot2 by its letters
    output, _ = annotate(folder, tmp_path, capsys)
    assert numbers(output) == list(range(12))


def a_subtitled(folder: Path) -> Path:
    text = folder / "s.srt"
    text.write_text(
        "1\n00:00:00,100 --> 00:00:00,400\nHello <i>there</i>\n\n2\n00:00:00,500 --> 00:00:00,900\nSecond ü\n"
    )
    words = ["-map", "0:v", "-map", "1:s", "-c:s", "srt", "-metadata:s:s", "language=eng"]
    return video(folder / "sub.mkv", inputs=["-i", text], options=words)


def with_chapters(folder: Path) -> Path:
    chapters = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"
        for start, end, title in ((0, 400, "One"), (400, 1000, "Two"))
    )
    (folder / "m.txt").write_text(f";FFMETADATA1\n{chapters}")
    return video(folder / "c.mp4", inputs=["-i", folder / "m.txt"], options=["-map", "0:v", "-map_metadata", "1"])


PLACE = "+48.1000+011.5000/"
TAGS = {"title": "My trip", "creation_time": "2021-05-04T10:11:12Z", "location": PLACE, "comment": "hi", "make": "Cam"}


def described(folder: Path) -> Path:
    words = [word for key, text in TAGS.items() for word in ("-metadata", f"{key}={text}")]
    return video(folder / "tags.mov", options=[*words, "-timecode", "01:02:03:04"])


def with_second_camera(folder: Path) -> Path:
    inputs = ["-f", "lavfi", "-i", "testsrc2=s=64x48:d=1"]
    return video(folder / "two.mkv", inputs=inputs, options=["-map", "0:v", "-map", "1:v", *H264])


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_subtitles(name, tmp_path, capsys):
    output, said = annotate(a_subtitled(tmp_path), tmp_path, capsys, name)
    [stream] = streams(output, "subtitle")
    assert stream["codec_name"] == ("subrip" if name == "out.mkv" else "mov_text")
    assert stream["tags"]["language"] == "eng"
    text = ffmpeg("-i", output, "-map", "0:s", "-f", "srt", "pipe:1").decode()
    assert "00:00:00,100 --> 00:00:00,400\nHello <i>there</i>" in text
    assert "00:00:00,500 --> 00:00:00,900\nSecond ü" in text
    assert any("rewritten as MP4's own text" in line for line in said) == (name != "out.mkv")


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_chapters(name, tmp_path, capsys):
    output, _ = annotate(with_chapters(tmp_path), tmp_path, capsys, name)
    found = [(float(c["start_time"]), float(c["end_time"]), c["tags"]["title"]) for c in probe(output)["chapters"]]
    assert found == [(0.0, 0.4, "One"), (0.4, 1.0, "Two")]


@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_time_place_and_other_tags(name, tmp_path, capsys):
    output, _ = annotate(described(tmp_path), tmp_path, capsys, name)
    found = probe(output)
    tags = found["format"]["tags"]
    assert tags["creation_time"].startswith("2021-05-04T10:11:12")
    assert {key: tags[key] for key in TAGS} | {"creation_time": TAGS["creation_time"]} == TAGS
    assert found["streams"][0]["tags"]["timecode"] == "01:02:03:04"


def test_a_second_camera_comes_along(tmp_path, capsys):
    source = with_second_camera(tmp_path)
    output, said = annotate(source, tmp_path, capsys)
    assert len(streams(output, "video")) == 2
    before, after = packets(source, "v:1"), packets(output, "v:1")
    assert same_times([when for when, _ in after], [when for when, _ in before])
    assert [data for _, data in after] == [data for _, data in before]
    assert any("copied as it is, without annotation" in line for line in said)


def gps_track(path: Path) -> None:
    """Turn the subtitles of an MP4 into the kind of data that some cameras keep their GPS in."""
    data = path.read_bytes()
    assert b"tx3g" in data and b"sbtl" in data
    path.write_bytes(data.replace(b"tx3g", b"gpmd").replace(b"sbtl", b"meta"))


@pytest.mark.parametrize(("name", "kept"), [("out.mp4", True), ("out.mkv", False)])
def test_gps_data(name, kept, tmp_path, capsys):
    text = tmp_path / "s.srt"
    text.write_text("1\n00:00:00,000 --> 00:00:00,500\n48.1 11.5\n")
    words = ["-map", "0:v", "-map", "1:s", "-c:s", "mov_text"]
    source = video(tmp_path / "gps.mp4", inputs=["-i", text], options=words)
    gps_track(source)
    output, said = annotate(source, tmp_path, capsys, name)
    assert len(streams(output, "data")) == kept
    if kept:
        assert [data for _, data in packets(output, "d:0")] == [data for _, data in packets(source, "d:0")]
    else:
        assert any("data stream 1" in line and "is not in the output" in line for line in said)


def test_a_cover_and_what_mp4_cannot_hold_are_told(tmp_path, capsys):
    clip = video(tmp_path / "clip.mkv", inputs=beeps_input(1.0), options=(*WITH_SOUND, "-c:a", "aac"))
    ffmpeg("-i", clip, "-frames:v", "1", tmp_path / "cover.png")
    source = tmp_path / "cover.mp4"
    words = ["-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic"]
    ffmpeg("-i", clip, "-i", tmp_path / "cover.png", *words, source)
    output, _ = annotate(source, tmp_path, capsys)
    assert numbers(output) == list(range(30))
    assert [stream["disposition"]["attached_pic"] for stream in streams(output, "video")] == [0, 1]
    (tmp_path / "font.ttf").write_bytes(b"not a font")
    fonts = tmp_path / "fonts.mkv"
    ffmpeg("-i", clip, "-c", "copy", "-attach", tmp_path / "font.ttf", "-metadata:s:t", "mimetype=font/ttf", fonts)
    _, said = annotate(fonts, tmp_path, capsys, "fonts.mp4")
    assert any("font.ttf is not in the output: mp4 cannot hold attachments" in line for line in said)
    kept, _ = annotate(fonts, tmp_path, capsys, "fonts-out.mkv")
    assert [stream["tags"]["filename"] for stream in streams(kept, "attachment")] == ["font.ttf"]


def test_stopping_after_some_frames_cuts_everything_there(tmp_path, capsys):
    source = Case("a.mp4", ["aac"], about={"seconds": 2, "count": 60}).make(tmp_path)
    output, _ = annotate(source, tmp_path, capsys, "out.mp4", "--max-frames", "15")
    assert numbers(output) == list(range(15))
    assert 0.4 < packets(output, "a:0")[-1][0] < 0.5


def test_the_index_lies_in_front_and_nothing_else_is_left(tmp_path, capsys):
    source = Case("a.mp4", ["aac"]).make(tmp_path)
    output, _ = annotate(source, tmp_path, capsys)
    data = output.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat") and b"moof" not in data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "out.mp4"]


SHAPES: dict[str, Callable[[Path], Path]] = {"subtitles": a_subtitled, "chapters": with_chapters, "tags": described}


@pytest.mark.parametrize("what", SHAPES)
def test_everything_else_about_the_picture_is_the_same(what, tmp_path, capsys):
    source = SHAPES[what](tmp_path)
    output, _ = annotate(source, tmp_path, capsys)
    assert numbers(output) == list(range(30)) and same_times(times(output), times(source))
