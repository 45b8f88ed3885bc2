"""The way of a GPU through the whole pipeline; without one, its parts run on the CPU and its kernels interpreted."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from streamseg.models.gpu.runner import Runner
from streamseg.overlay.device import DevicePainter
from streamseg.pipeline import wiring
from streamseg.scenes import render_still
from streamseg.settings import Settings

pytestmark = pytest.mark.usefixtures("one_thread")

FRAMES = 5


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    picture = render_still(3, width=160, height=96).image
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for index in range(FRAMES):
            moved = np.ascontiguousarray(np.roll(picture, 2 * index, axis=1))
            frame = av.VideoFrame.from_ndarray(moved, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def run(clip: Path, output: Path, **choices):
    small = {
        "model": "street",
        "precision": "fp32",
        "input_size": 128,
        "score_threshold": 0.1,
        "max_detections": 3,
        "outlines": False,
    }
    settings = Settings(source=(str(clip),), output=str(output), **small, **choices)
    with wiring.Plan(settings) as plan:
        segmenter = plan.load()
        if segmenter.runner is None:
            segmenter.runner = Runner(
                segmenter._network, segmenter.model, segmenter.options, segmenter.device, torch.float32
            )
            segmenter.workers = 3
        statistics = plan.pipeline(segmenter).run()
    return statistics, segmenter


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_the_same_film_as_with_the_cpus_painter(clip, tmp_path, monkeypatch):
    pytest.importorskip("triton", reason="Triton comes with torch on Linux only")
    painted_there = []
    paint_group = DevicePainter._paint_group
    monkeypatch.setattr(DevicePainter, "_paint_group", lambda *given: painted_there.append(paint_group(*given)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    statistics, segmenter = run(clip, tmp_path / "gpu.mp4", batch_size=2, crf=10, device=device)
    assert len(painted_there) == statistics.frames == FRAMES
    assert not segmenter.runner.uploads._copies
    monkeypatch.setattr("streamseg.models.gpu.kernels.kernel_trouble", lambda _: "not wanted")
    run(clip, tmp_path / "cpu.mp4", batch_size=2, crf=10, device=device)
    assert len(painted_there) == FRAMES
    for ours, theirs in zip(pictures(tmp_path / "gpu.mp4"), pictures(tmp_path / "cpu.mp4"), strict=True):
        assert (np.abs(ours.astype(int) - theirs) <= 16).mean() > 0.99


def test_what_the_model_has_to_say_joins_the_notes(clip, tmp_path, monkeypatch):
    found = Runner._found

    def short(self, pictures):
        if len(pictures) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return found(self, pictures)

    monkeypatch.setattr(Runner, "_found", short)
    statistics, _ = run(clip, tmp_path / "out.mp4", batch_size=2, device="cpu", mask_opacity=0)
    notes = [note for note in statistics.notes if "too small for 2 frames at once; went on with 1" in note]
    assert (len(notes), statistics.frames) == (1, FRAMES)
