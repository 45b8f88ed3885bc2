"""What only a GPU can show: recorded passes, streams, and the compiled kernels find what the CPU finds."""

import threading

import numpy as np
import pytest
import torch

from streamseg.models import load_model
from streamseg.models import torchvision_zoo as zoo
from streamseg.models.gpu.cudnn import convolutions
from streamseg.models.gpu.fixed import SCORE
from streamseg.models.gpu.graphs import TRIALS, Graphs
from streamseg.scenes import render_still
from streamseg.segmenter import Segmenter

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.fixture(scope="module")
def pictures():
    return [render_still(seed, width=320, height=192).image for seed in range(5)]


@pytest.fixture(scope="module")
def exact():
    return Segmenter(load_model("street"), "cuda", "fp32", score_threshold=0.3)


def test_the_gpu_finds_what_the_cpu_finds(exact, pictures):
    expected = Segmenter(load_model("street"), "cpu", "fp32", score_threshold=0.3)(pictures)
    for theirs, ours in zip(expected, exact(pictures), strict=True):
        distance = np.abs(theirs.boxes[:, None] - ours.boxes[None]).max(2)
        assert (distance.min(1) < 2).mean() > 0.8  # the two resize in different ways


@pytest.mark.parametrize("name", ["maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"])
def test_the_objects_of_torchvision(name, pictures, tmp_path):
    torch.manual_seed(0)
    network = zoo.build(name, 3).eval()
    torch.save({"model": network.state_dict(), "class_names": list("abc")}, tmp_path / "random.pth")
    segmenter = Segmenter(load_model(name, tmp_path / "random.pth"), "cuda", "fp32", 0.3, 100, input_size=128)
    network.transform.min_size, network.transform.max_size = (128,), 213
    network.roi_heads.score_thresh = 0.3
    given = [torch.from_numpy(picture).permute(2, 0, 1).float().cuda() / 255 for picture in pictures[:2]]
    with torch.inference_mode(), convolutions(allow_tf32=False):
        expected = network.cuda()(given)
    for _ in range(TRIALS + 2):
        for ours, theirs in zip(segmenter(pictures[:2]), expected, strict=True):
            assert len(ours) == len(theirs["scores"]) > 0
            assert np.abs(ours.scores - theirs["scores"].cpu().numpy()).max() < 1e-3
            distance = np.abs(ours.boxes[:, None] - theirs["boxes"].cpu().numpy()[None]).max(2)
            assert distance.min(1).max() < 0.1


def test_replays_are_what_first_passes_are(exact, pictures):
    before = exact(pictures[:4])
    for _ in range(TRIALS + 3):
        for first, again in zip(before, exact(pictures[:4]), strict=True):
            assert np.array_equal(first.labels, again.labels)
            assert np.allclose(first.scores, again.scores, atol=1e-3)
            assert np.allclose(first.boxes, again.boxes, atol=0.1)
    assert exact.runner.notes == []


def test_batches_are_filled_up(exact, pictures):
    for count in (1, 3, 5, 2):
        for _ in range(TRIALS + 2):
            found = exact(pictures[:count])
        assert [len(each) for each in found] == [len(exact([picture])[0]) for picture in pictures[:count]]


def test_threads_at_once(exact, pictures):
    expected = [len(each) for each in exact(pictures)]
    results = []

    def work():
        for _ in range(10):
            results.append([len(each) for each in exact(pictures)])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 30


def test_half_precision(pictures):
    rough = Segmenter(load_model("street"), "cuda", "fp16", score_threshold=0.3)
    for _ in range(TRIALS + 2):
        found = rough(pictures)
    expected = Segmenter(load_model("street"), "cuda", "fp32", score_threshold=0.3)(pictures)
    counts, exact = (sum(map(len, each)) for each in (found, expected))
    assert abs(counts - exact) <= 0.1 * exact


def test_a_pass_that_cannot_be_recorded_goes_on_without():
    stream = torch.cuda.Stream()
    graphs = Graphs(stream)
    with torch.cuda.stream(stream):
        for _ in range(TRIALS + 2):
            batch = torch.ones(2, 3, device="cuda")
            (result,) = graphs.run("asks", lambda rows: [rows * float(rows.sum())], batch)
            assert result.cpu().tolist() == [[6.0] * 3] * 2
    assert graphs.fault is not None


def test_graphs_never_mix_up_their_rows():
    stream = torch.cuda.Stream()
    graphs = Graphs(stream)
    with torch.cuda.stream(stream):
        for number in range(20):
            batch = torch.full((1 + number % 3, SCORE), float(number), device="cuda")
            (result,) = graphs.run("doubles", lambda rows: [rows * 2], batch)
            assert torch.equal(result, 2 * batch)
