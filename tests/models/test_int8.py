"""Eight-bit integers give what floating point gives, up to their steps."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamseg.models import load_model
from streamseg.models.int8 import ByteConv
from streamseg.models.ranges import measure
from streamseg.models.scale import Scale
from streamseg.models.street import StreetConfig, StreetMaskRCNN
from streamseg.scenes import render_still
from streamseg.segmenter import Segmenter, cpu_has_int8

needs_int8 = pytest.mark.skipif(not cpu_has_int8(), reason="this CPU has no VNNI instructions")


@given(low=st.floats(-50, 50), high=st.floats(-50, 50), value=st.floats(-60, 60))
def test_a_scale_rounds_to_half_a_step_and_holds_zero_exactly(low, high, value):
    low, high = sorted((low, high))
    scale = Scale.over(low, high)
    there = scale.to_real(scale.to_bytes(torch.tensor([0.0, value])))
    assert there[0] == 0
    nearest = min(max(value, min(low, 0)), max(high, 0))
    assert abs(float(there[1]) - nearest) <= 1.01 * scale.size + 1e-5


def channels_last(*shape):
    return torch.randn(shape).contiguous(memory_format=torch.channels_last)


@needs_int8
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2)])
@pytest.mark.parametrize(("onto", "real"), [(False, False), (True, False), (False, True)])
def test_a_convolution(kernel, stride, relu, onto, real):
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(16, 24, kernel, stride, kernel // 2)
    x = channels_last(2, 16, 9, 14)
    given_scale = Scale.over(float(x.min()), float(x.max()))
    with torch.inference_mode():
        expected = conv(given_scale.to_real(given_scale.to_bytes(x)))
        other, other_scale = torch.randn_like(expected), Scale.over(-4, 4)
        if onto:
            expected = expected + other_scale.to_real(other_scale.to_bytes(other))
        if relu:
            expected = expected.relu()
        to = Scale.over(float(expected.min()), float(expected.max()))
        layer = ByteConv(conv, given_scale, None if real else to, relu)
        addition = (other_scale.to_bytes(other), other_scale) if onto else ()
        found = layer(given_scale.to_bytes(x), *addition)
    assert found.dtype == (torch.float32 if real else torch.uint8)
    assert found.shape == expected.shape
    step = float(expected.abs().max()) / 255
    assert ((found if real else to.to_real(found)) - expected).abs().max() < 4 * step


@pytest.fixture(scope="module")
def pictures():
    return [render_still(seed, width=480, height=288).image for seed in range(4)]


@needs_int8
def test_the_shipped_model_finds_the_same(pictures):
    model = load_model("street")
    exact, whole = (Segmenter(model, precision=name) for name in ("fp32", "int8"))
    assert Segmenter(model).number_format == "int8"
    together = missing = 0
    for picture in pictures:
        ours, theirs = whole([picture])[0], exact([picture])[0]
        sure = theirs.scores > 0.7
        for box, label, score in zip(theirs.boxes[sure], theirs.labels[sure], theirs.scores[sure], strict=True):
            near = (np.abs(ours.boxes - box).max(axis=1) < 6) & (ours.labels == label) & (ours.scores > score - 0.2)
            together, missing = together + 1, missing + (not near.any())
    assert together > 10
    assert missing <= 0.05 * together


@needs_int8
def test_results_do_not_depend_on_batch_or_thread_count(pictures):
    segmenter = Segmenter(load_model("street"), precision="int8", score_threshold=0.05)
    one = [segmenter([picture])[0] for picture in pictures]
    for first, second in zip(one, segmenter(pictures), strict=True):
        assert np.array_equal(first.boxes, second.boxes) and np.array_equal(first.masks, second.masks)


def test_ranges_are_those_of_the_pictures(pictures):
    network = load_model("street").network
    again = measure(copy.deepcopy(network.rcnn), pictures)
    assert again is not None and again.keys() == network.ranges.keys()
    for name, (low, high) in again.items():
        assert low <= 0 < high
        assert 0.3 < high / network.ranges[name][1] < 3


def test_before_it_finds_anything_there_are_no_ranges(pictures):
    torch.manual_seed(0)
    untrained = StreetMaskRCNN(StreetConfig(), 3).eval()
    assert measure(untrained, pictures) is None
