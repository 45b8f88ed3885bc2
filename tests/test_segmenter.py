"""The segmenter: devices, precisions, classes, and results that do not depend on the batch."""

import os
import threading

import cv2
import numpy as np
import pytest
import torch

from streamseg.errors import UserError
from streamseg.models import load_model
from streamseg.planes import Planes
from streamseg.scenes import render_still
from streamseg.segmenter import Segmenter, choose_device, choose_precision, cpu_has_bf16, cpu_has_int8


@pytest.fixture(scope="module")
def images():
    return [render_still(seed, width=320, height=192 + 32 * (seed % 2)).image for seed in range(3)]


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter(load_model("street"), "cpu", score_threshold=0.05)


def planes_of(image):
    """BT.601 in full range, as OpenCV converts."""
    y, v, u = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    half = (image.shape[1] // 2, image.shape[0] // 2)
    u, v = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (u, v))
    return Planes(y, u, v, matrix=5, full_range=True)


def same(first, second):
    return all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("boxes", "scores", "labels", "masks")
    )


def test_results_do_not_depend_on_the_batch(segmenter, images):
    together = segmenter(images)
    assert sum(map(len, together)) > 0
    for image, expected in zip(images, together, strict=True):
        assert same(segmenter([image])[0], expected)


def test_results_have_the_promised_types(segmenter, images):
    found = segmenter(images[:1])[0]
    height, width = images[0].shape[:2]
    assert (found.boxes.dtype, found.scores.dtype, found.labels.dtype) == (np.float32, np.float32, np.int64)
    assert found.masks.shape[1:] == (28, 28)
    assert found.class_names == ("person", "vehicle", "cycle")
    assert not found.ids.any()
    assert (found.boxes >= 0).all() and (found.boxes <= [width, height, width, height]).all()
    assert (found.masks >= 0).all() and (found.masks <= 1).all()
    assert (np.diff(found.scores) <= 0).all()


def test_workers_share_the_cores_and_leave_other_threads_alone(segmenter, images):
    """Each worker has its share of torch's threads; nobody else's number changes."""
    usual, seen = torch.get_num_threads(), {}

    def work(number):
        found = [segmenter.work([image])[0] for image in images]
        seen[number] = torch.get_num_threads(), found

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert segmenter.workers == min(cores, 4)
    later = threading.Thread(target=lambda: seen.update(later=torch.get_num_threads()))
    later.start()
    later.join()
    assert torch.get_num_threads() == seen["later"] == usual
    for number in range(2):
        share, found = seen[number]
        assert share == (usual if segmenter.workers == 1 else max(1, cores // segmenter.workers))
        assert all(same(one, other) for one, other in zip(found, seen[0][1], strict=True))


def test_planes_give_nearly_what_rgb_gives():
    image = cv2.GaussianBlur(render_still(3, width=640, height=384).image, (0, 0), 1.5)
    planes = planes_of(image)
    segmenter = Segmenter(load_model("street"), "cpu", "fp32", score_threshold=0.6)
    ours, theirs = segmenter([planes])[0], segmenter([planes.to_rgb()])[0]
    assert len(theirs) > 0 and abs(len(ours) - len(theirs)) <= 1
    best = np.abs(ours.boxes[:, None] - theirs.boxes[None]).max(axis=2).min(axis=0)
    assert np.median(best) < 1.5


def test_no_frames_and_read_only_frames(segmenter, images):
    assert segmenter([]) == []
    locked = images[0].copy()
    locked.flags.writeable = False
    assert same(segmenter([locked])[0], segmenter([images[0]])[0])


def test_a_model_serves_several_segmenters(images):
    model = load_model("street")
    first = Segmenter(model, "cpu", "fp32", score_threshold=0.05)
    before = first(images[:1])[0]
    Segmenter(model, "cpu", "bf16", input_size=128)(images[:1])
    again = Segmenter(model, "cpu", "fp32", score_threshold=0.05)
    assert same(first(images[:1])[0], before)
    assert same(again(images[:1])[0], before)


def test_half_precision_finds_the_same(images):
    model = load_model("street")
    exact = Segmenter(model, "cpu", "fp32", score_threshold=0.5)(images)
    rough = Segmenter(model, "cpu", "bf16", score_threshold=0.25)(images)
    for expected, found in zip(exact, rough, strict=True):
        distance = np.abs(expected.boxes[:, None] - found.boxes[None]).max(2)
        # An object cut in two may be joined by rounding, but that is rare.
        assert (distance.min(1) < 8).mean() > 0.7


def test_options(images):
    model = load_model("street")
    only = Segmenter(model, "cpu", score_threshold=0.05, classes=["vehicle"])(images)
    assert {name for found in only for name in found.names} <= {"vehicle"}
    few = Segmenter(model, "cpu", score_threshold=0.0, max_detections=2)(images)
    assert [len(found) for found in few] == [2, 2, 2]


def test_input_size_changes_what_the_network_sees(images):
    segmenter = Segmenter(load_model("street"), "cpu", input_size=192)
    batch, _ = segmenter._network.rcnn.transform([torch.zeros(3, 720, 1280, dtype=torch.uint8)])
    assert batch.image_sizes == [(171, 304)]


def test_the_choice_is_explained(segmenter):
    assert all(word in segmenter.description for word in ("street", "embedded", "cpu"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "gpu9"}, "device 'gpu9' cannot be used here"),
        ({"device": "cpu", "precision": "fp8"}, "no precision 'fp8'; known are auto, fp32, bf16, fp16"),
        ({"device": "cpu", "precision": "fp16"}, "fp16 needs a GPU"),
        ({"device": "cpu", "classes": ["tram"]}, "no class 'tram'; it knows person, vehicle, cycle"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(UserError, match=message) as caught:
        Segmenter(load_model("street"), **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("precision", "device", "has_bytes", "expected"),
    [
        ("auto", "cuda", True, "fp16"),
        ("auto", "mps", True, "fp32"),
        ("auto", "cpu", True, "int8" if cpu_has_int8() else "bf16" if cpu_has_bf16() else "fp32"),
        ("auto", "cpu", False, "bf16" if cpu_has_bf16() else "fp32"),
        ("fp32", "cpu", True, "fp32"),
        ("bf16", "cpu", False, "bf16"),
    ],
)
def test_precision(precision, device, has_bytes, expected):
    assert choose_precision(precision, torch.device(device), has_bytes)[0] == expected


def test_the_cpu_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")
