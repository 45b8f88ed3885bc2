"""Videos whose pictures carry their number, made with Debian's ffmpeg, and what other programs read in a video.

Nothing here uses the code under test: sources are written and results are read by ffmpeg and ffprobe.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BITS = 10
_DARK, _LIGHT = 50, 205
_STEP = 9  # levels between two numbers of a picture too small for bits


def needs_ffmpeg() -> None:
    """Skip the test where ffmpeg is not installed."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("needs ffmpeg and ffprobe (apt-get install ffmpeg)")


def picture(number: int, width: int, height: int) -> np.ndarray:
    """The picture of a number, uint8 [H, W, 3]: its bits as dark and light blocks on top, and upside down below.

    A picture of less than 80 x 16 pixels is a level of grey, by which numbers below 25 are told.
    """
    if width < 80 or height < 16:
        return np.full((height, width, 3), 20 + number % 25 * _STEP, np.uint8)
    y, x = np.mgrid[:height, :width]
    image = np.stack([60 + 100 * x / width, 60 + 100 * y / height, np.full(x.shape, 110)], -1).astype(np.uint8)
    bits = np.array([number >> place & 1 for place in range(BITS)])
    columns = np.arange(width) * BITS // width
    row = np.where(bits[columns] > 0, _LIGHT, _DARK).astype(np.uint8)
    image[: height // 4] = row[:, None]
    image[-(height // 4) :] = (_DARK + _LIGHT - row)[:, None]
    return image


def number_of(luma: np.ndarray) -> int | None:
    """The number of a picture, from its luma [H, W]; None where its two strips do not agree."""
    height, width = luma.shape
    if width < 80 or height < 16:
        return round((float(luma.mean()) - 20) / _STEP)
    places = (2 * np.arange(BITS) + 1) * width // (2 * BITS)
    reach = max(1, width // (4 * BITS))
    strip = max(1, height // 16)

    def read(row: int) -> np.ndarray:
        rows = luma[max(0, row - strip) : row + strip]
        return np.array([rows[:, place - reach : place + reach].mean() > 128 for place in places])

    top, bottom = read(height // 8), read(height - height // 8)
    if (top == bottom).any():
        return None
    return int((top << np.arange(BITS)).sum())


def ffmpeg(*words: str | Path, data: bytes | None = None) -> bytes:
    """Run ffmpeg; its standard output."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, words)]
    if data is not None:
        command.remove("-nostdin")
    done = subprocess.run(command, input=data, capture_output=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr.decode(errors='replace')}"
    return done.stdout


def video(
    path: Path,
    count: int = 30,
    size: tuple[int, int] = (160, 96),
    rate: str = "30",
    inputs: Sequence[str | Path] = (),
    options: Sequence[str | Path] = (),
    codec: Sequence[str] = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12"),
    numbers: Iterable[int] | None = None,
) -> Path:
    """Write a video of the pictures 0 to ``count``.

    Args:
        path: The file; its suffix says which format.
        count: How many pictures.
        size: Width and height, pixels.
        rate: Pictures per second.
        inputs: Further inputs of ffmpeg, such as sound (the picture is input 0).
        options: Further options of the output.
        codec: How the picture is coded.
        numbers: The pictures' numbers instead.
    """
    needs_ffmpeg()
    data = b"".join(picture(number, *size).tobytes() for number in (range(count) if numbers is None else numbers))
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", rate, "-i", "pipe:0"]
    ffmpeg(*raw, *inputs, *codec, *options, path, data=data)
    return path


def beeps_input(seconds: float = 1.0, channels: int = 1, rate: int = 48000) -> list[str]:
    """An input of ffmpeg: a tone of 50 ms at each half second."""
    tone = "0.5*sin(2*PI*1000*t)*lt(mod(t\\,0.5)\\,0.05)"
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    source = f"aevalsrc=exprs={'|'.join([tone] * channels)}:channel_layout={layout}:sample_rate={rate}:d={seconds}"
    return ["-f", "lavfi", "-i", source]


def probe(path: Path, *words: str) -> dict[str, Any]:
    """What ffprobe says of a file, as JSON: streams, format and chapters, and what ``words`` add."""
    needs_ffmpeg()
    shown = ["-show_streams", "-show_format", "-show_chapters", *words]
    command = ["ffprobe", "-v", "error", "-of", "json", *shown, f"file:{path}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def streams(path: Path, kind: str) -> list[dict[str, Any]]:
    """What ffprobe says of the streams of a kind: ``video``, ``audio``, ``subtitle``, ``data``."""
    return [stream for stream in probe(path)["streams"] if stream.get("codec_type") == kind]


def times(path: Path, stream: str = "v:0") -> list[float]:
    """When each picture is shown, seconds, as ffprobe decodes them."""
    entries = "frame=best_effort_timestamp_time"
    command = ["ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", entries, "-of", "csv=p=0"]
    done = subprocess.run([*command, f"file:{path}"], capture_output=True, text=True)
    return [float(line.strip(",").split(",")[0]) for line in done.stdout.split() if line[0].isdigit() or line[0] == "-"]


def lumas(path: Path, stream: str = "0:v:0") -> np.ndarray:
    """The pictures as shown, rotated as the file says: uint8 [N, H, W]."""
    words = ["-i", f"file:{path}", "-map", stream, "-fps_mode", "passthrough", "-pix_fmt", "gray"]
    head = ffmpeg(*words, "-frames:v", "1", "-f", "image2pipe", "-c:v", "pgm", "pipe:1")
    width, height = (int(word) for word in head.split(maxsplit=3)[1:3])
    data = ffmpeg(*words, "-f", "rawvideo", "pipe:1")
    return np.frombuffer(data, np.uint8).reshape(-1, height, width)


def numbers(path: Path, stream: str = "0:v:0", crop: tuple[int, int] | None = None) -> list[int | None]:
    """The numbers of the pictures as they are shown; ``crop`` is the width and height to look at."""
    pictures = lumas(path, stream)
    if crop is not None:
        pictures = pictures[:, : crop[1], : crop[0]]
    return [number_of(luma) for luma in pictures]


def packets(path: Path, stream: str) -> list[tuple[float, str]]:
    """Start in seconds and hash of each packet of a stream, for example ``a:0``, as ffprobe reads them."""
    command = ["ffprobe", "-v", "error", "-select_streams", stream, "-show_packets", "-show_data_hash", "md5"]
    done = subprocess.run([*command, "-of", "json", f"file:{path}"], capture_output=True, text=True)
    return [
        (float(one["pts_time"]), one["data_hash"]) for one in json.loads(done.stdout)["packets"] if "pts_time" in one
    ]


def beeps(path: Path, track: int = 0) -> list[float]:
    """When each tone of a sound track begins, seconds, to 1 ms or so."""
    shaped = "aresample=8000:async=1:min_hard_comp=0.01:first_pts=0"
    data = ffmpeg(
        "-copyts", "-i", f"file:{path}", "-map", f"0:a:{track}", "-af", shaped, "-ac", "1", "-f", "f32le", "pipe:1"
    )
    loud = np.abs(np.frombuffer(data, np.float32)) > 0.1
    found: list[float] = []
    for place in np.flatnonzero(loud).tolist():
        if not found or place / 8000 - found[-1] > 0.2:
            found.append(place / 8000)
    return found
