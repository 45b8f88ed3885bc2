"""Rendered clips as files: H.264, the sample with a quiet sound track, and their truth as JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2  # noqa: F401  # before av: both bring an FFmpeg, and this order lets them share a process
import numpy as np

from streamseg.errors import UserError
from streamseg.masks import encode
from streamseg.scenes.clip import render_clip
from streamseg.scenes.crossings import render_crossings
from streamseg.scenes.truth import SceneFrame

SOUND_RATE = 48000
Progress = Callable[[int, int], None]


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
    progress: Progress | None = None,
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
    count = round(seconds * rate)
    frames = render_clip(seed, seconds, width, height, rate)
    form = _Form(count, width, height, rate, crf, hum(seed, count / rate))
    _write(Path(video_path), Path(truth_path), frames, form, progress)


def write_crossings(
    video_path: str | Path,
    truth_path: str | Path,
    seed: int = 0,
    seconds: float = 20.0,
    width: int = 640,
    height: int = 360,
    rate: int = 12,
    crf: int = 20,
    progress: Progress | None = None,
) -> None:
    """The same of :func:`streamseg.scenes.render_crossings`, without sound; see :func:`write_sample`."""
    frames = render_crossings(seed, seconds, width, height, rate)
    form = _Form(round(seconds * rate), width, height, rate, crf, None)
    _write(Path(video_path), Path(truth_path), frames, form, progress)


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """Number, size in pixels and rate of the frames, quality, and sound float32 [2, samples]."""

    count: int
    width: int
    height: int
    rate: int
    crf: int
    sound: np.ndarray | None


def _write(
    video_path: Path, truth_path: Path, frames: Iterable[SceneFrame], form: _Form, progress: Progress | None
) -> None:
    if form.width % 2 or form.height % 2:
        raise UserError(
            f"a clip of {form.width}x{form.height} cannot be encoded as yuv420p; choose an even width and height"
        )
    part, truth_part = (path.with_name(path.name + ".part") for path in (video_path, truth_path))
    try:
        with truth_part.open("w", encoding="utf-8") as lines:
            _encode(part, lines.write, frames, form, progress)
        os.replace(part, video_path)
        os.replace(truth_part, truth_path)
    except OSError as error:
        raise UserError(
            f"cannot write the clip to {video_path}: {error.strerror or error}; check the folder and its space"
        ) from error
    finally:
        part.unlink(missing_ok=True)
        truth_part.unlink(missing_ok=True)


def _encode(
    path: Path, write: Callable[[str], Any], frames: Iterable[SceneFrame], form: _Form, progress: Progress | None
) -> None:
    import av

    rate = form.rate
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=Fraction(rate))
        video.width, video.height, video.pix_fmt = form.width, form.height, "yuv420p"
        video.options = {"crf": str(form.crf), "preset": "slow", "g": str(2 * rate)}
        audio = _Sound(container, form.sound) if form.sound is not None else None
        for index, frame in enumerate(frames):
            write(json.dumps(truth_line(frame, index), separators=(",", ":")) + "\n")
            picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, rate)
            container.mux(video.encode(picture))
            if audio is not None:
                audio.write(round((index + 1) * SOUND_RATE / rate))
            if progress is not None:
                progress(index + 1, form.count)
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.stream.encode(None))


class _Sound:
    """An AAC track of a file being written, with the samples float32 [2, N] that go into it."""

    def __init__(self, container: Any, samples: np.ndarray) -> None:
        self._container, self._samples, self._sent = container, samples, 0
        self.stream = container.add_stream("aac", rate=SOUND_RATE, layout="stereo")
        self.stream.bit_rate = 48000

    def write(self, until: int) -> None:
        """Encode what was not sent yet of the first ``until`` samples."""
        import av

        samples = np.ascontiguousarray(self._samples[:, self._sent : until])
        chunk = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        chunk.sample_rate, chunk.pts, chunk.time_base = SOUND_RATE, self._sent, Fraction(1, SOUND_RATE)
        self._sent = until
        self._container.mux(self.stream.encode(chunk))


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
