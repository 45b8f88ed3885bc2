"""The sample clip as files: H.264 with a quiet sound track, and its truth as JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2  # noqa: F401  # before av: both bring an FFmpeg, and this order lets them share a process
import numpy as np

from streamseg.errors import UserError
from streamseg.masks import encode
from streamseg.scenes.clip import render_clip
from streamseg.scenes.truth import SceneFrame

SOUND_RATE = 48000


def truth_line(frame: SceneFrame, index: int) -> dict[str, Any]:
    """One frame's truth in the form of a record: frame, pts in seconds, and id, label, box and mask per object."""
    height, width = frame.image.shape[:2]
    instances = [
        {"id": found.id, "label": found.label, "box": list(found.box), "mask": encode(found.mask, height, width)}
        for found in frame.objects
    ]
    return {"frame": index, "pts": round(frame.seconds, 6), "instances": instances}


def write_sample(
    video_path: str | Path,
    truth_path: str | Path,
    seed: int = 15,
    seconds: float = 10.0,
    width: int = 1280,
    height: int = 720,
    rate: int = 30,
    crf: int = 27,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render a clip and write it as MP4 (H.264, yuv420p, stereo AAC) together with its truth.

    Args:
        video_path: The MP4; replaced where it exists, and only once it is whole.
        truth_path: JSON lines, one per frame; likewise.
        seed: Which clip.
        seconds: Length.
        width: Columns, pixels; even.
        height: Rows, pixels; even.
        rate: Frames per second.
        crf: Quality of libx264, smaller is better and larger in bytes.
        progress: Called with (frames done, frames in all) after each.

    Raises:
        UserError: A size is odd, or a file cannot be written.
    """
    if width % 2 or height % 2:
        raise UserError(f"a clip of {width}x{height} cannot be encoded as yuv420p; choose an even width and height")
    video_path, truth_path = Path(video_path), Path(truth_path)
    part, truth_part = (path.with_name(path.name + ".part") for path in (video_path, truth_path))
    try:
        with truth_part.open("w", encoding="utf-8") as lines:
            _encode(part, lines.write, seed, seconds, (width, height), rate, crf, progress)
        os.replace(part, video_path)
        os.replace(truth_part, truth_path)
    except OSError as error:
        raise UserError(
            f"cannot write the sample to {video_path}: {error.strerror or error}; check the folder and its space"
        ) from error
    finally:
        part.unlink(missing_ok=True)
        truth_part.unlink(missing_ok=True)


def _encode(
    path: Path,
    write: Callable[[str], Any],
    seed: int,
    seconds: float,
    size: tuple[int, int],
    rate: int,
    crf: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    import av

    count = round(seconds * rate)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=Fraction(rate))
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.options = {"crf": str(crf), "preset": "slow", "g": str(2 * rate)}
        audio = container.add_stream("aac", rate=SOUND_RATE, layout="stereo")
        audio.bit_rate = 48000
        sound = hum(seed, count / rate)
        sent = 0
        for index, frame in enumerate(render_clip(seed, seconds, *size, rate)):
            write(json.dumps(truth_line(frame, index), separators=(",", ":")) + "\n")
            picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, rate)
            container.mux(video.encode(picture))
            until = round((index + 1) * SOUND_RATE / rate)
            chunk = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound[:, sent:until]), format="fltp", layout="stereo"
            )
            chunk.sample_rate, chunk.pts, chunk.time_base = SOUND_RATE, sent, Fraction(1, SOUND_RATE)
            sent = until
            container.mux(audio.encode(chunk))
            if progress is not None:
                progress(index + 1, count)
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def hum(seed: int, seconds: float) -> np.ndarray:
    """The inside of a car, quiet: engine and rolling noise, float32 [2, samples] at ``SOUND_RATE``, about -30 dB."""
    rng = np.random.default_rng(seed)
    count = round(seconds * SOUND_RATE)
    time = np.arange(count) / SOUND_RATE
    turns = np.cumsum(52 + 9 * np.sin(2 * np.pi * time / 6.5)) / SOUND_RATE
    engine = sum(np.sin(2 * np.pi * k * turns) / k**1.3 for k in (1, 2, 3, 4, 6))
    rolling = rng.standard_normal((2, count))
    spectrum = np.fft.rfft(rolling)
    rolling = np.fft.irfft(spectrum / (1 + np.fft.rfftfreq(count, 1 / SOUND_RATE) / 180), count)
    rolling /= max(float(rolling.std()), 1e-9)
    return (0.018 * engine + 0.012 * rolling).astype(np.float32)
