from __future__ import annotations

import pytest
import torch
from torch import nn

from streamseg.benchmark.layers import LayerClock
from streamseg.benchmark.matrix import operations, peak_rate
from streamseg.benchmark.ours import Ours
from streamseg.benchmark.report import PIPELINE_STAGES
from streamseg.models.model import DetectOptions, Model, Network
from streamseg.settings import Settings

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def ours(folder):
    from streamseg.benchmark.clip import sample

    if sample() is None:
        pytest.skip("the sample is not here")
    settings = Settings(source=(str(sample()),), model="street", device="cpu", input_size=128)
    return Ours(settings, folder)


def test_the_pipeline_runs_with_all_its_sinks(ours, folder, clip):
    timing = ours.run(clip, 5)
    assert timing.frames == len(timing.laps) == 5
    assert sum(timing.laps) <= timing.seconds and timing.cpu_seconds > 0
    assert {"annotated.mp4", "records.jsonl"} <= {path.name for path in folder.iterdir()}
    memory = ours.memory()
    assert memory["process_gb"] > 0.1 and memory["device_gb"] is None


def test_each_stage_is_timed_over_the_same_frames(ours, sample):
    measured = ours.stages(sample, 3)
    timings = measured["timings"]
    assert set(timings) == {*PIPELINE_STAGES, "upload", "network", "postprocessing"}
    assert timings.pop("upload") is None
    for name, timing in timings.items():
        assert timing.frames == len(timing.laps) == 3, name
        assert timing.seconds > 0 and sum(timing.laps) <= timing.seconds * 1.001, name
    assert measured["operations"] > 1e8 and measured["peak_rate"] > 1e9


def test_what_was_chosen(ours):
    about = ours.about()
    assert (about["model"], about["device"]) == ("street", "cpu")
    assert about["batch_size"] == (1 if about["precision"] == "fp32" else 2)
    machine = about["machine"]
    assert machine["cores"] >= 1 and machine["gpu"] is None and machine["torch"] == torch.__version__
    assert machine["cpu"] and machine["memory_gb"] > 0.5


class OneConvolution(Network):
    """Answers nothing, but computes one convolution."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1, bias=False))

    def detect(self, images, options):
        self.layer(torch.stack(list(images)).float())
        return []

    def resize_input(self, short_side, long_side):
        raise NotImplementedError


def test_operations_are_two_for_each_weight_and_place():
    model = Model("one", OneConvolution(), ("a",), "none", "a test")
    picture = torch.zeros(8, 10, 3, dtype=torch.uint8).numpy()
    assert operations(model, picture, DetectOptions()) == 2 * (3 * 5 * 9) * (8 * 10)


@pytest.mark.parametrize("number_format", ["fp32", "bf16", "int8"])
def test_a_matrix_product_has_a_rate(number_format):
    assert peak_rate(torch.device("cpu"), number_format, seconds=0) > 1e9


def test_layers_are_timed_once_however_deep_they_lie():
    finished = []
    network = OneConvolution()
    picture = torch.zeros(3, 64, 64, dtype=torch.uint8)
    with LayerClock(lambda: finished.append(1)) as clock:
        network.detect([picture], DetectOptions())
        assert len(finished) == 2 and clock.seconds > 0
        network.detect([picture], DetectOptions())
        assert len(finished) == 4
    before = clock.seconds
    network.detect([picture], DetectOptions())
    assert clock.seconds == before and len(finished) == 4
