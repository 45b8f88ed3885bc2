"""The detector finds what torchvision's own forward finds."""

import numpy as np
import pytest
import torch

from streamseg.models.detect import MaskRCNNDetector
from streamseg.models.model import DetectOptions


@pytest.fixture(scope="module")
def network(random_network):
    return random_network("maskrcnn_resnet50_fpn")


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(0)
    return [torch.from_numpy(random.integers(0, 256, (3, *size), np.uint8)) for size in ((90, 120), (64, 64))]


def theirs(network, images):
    with torch.inference_mode():
        return network([image.float() / 255 for image in images])


def ours(network, images, **options):
    with torch.inference_mode():
        return MaskRCNNDetector(network).detect(images, DetectOptions(**options))


def test_same_objects_as_torchvision(network, images):
    for found, expected in zip(
        ours(network, images, score_threshold=0.05, max_detections=20), theirs(network, images), strict=True
    ):
        assert len(found.scores) == len(expected["scores"]) > 0
        assert torch.equal(found.labels, expected["labels"] - 1)
        torch.testing.assert_close(found.scores, expected["scores"], atol=1e-4, rtol=0)
        torch.testing.assert_close(found.boxes, expected["boxes"], atol=0.05, rtol=0)


@pytest.mark.parametrize("threshold", [0.2, 0.3, 0.9])
def test_a_higher_threshold_leaves_the_best(network, images, threshold):
    everything = ours(network, images, score_threshold=0.05)[0]
    best = ours(network, images, score_threshold=threshold)[0]
    expected = everything.scores[everything.scores > threshold]
    torch.testing.assert_close(best.scores, expected, atol=1e-4, rtol=0)


def test_class_filter_comes_before_the_limit(network, images):
    everything = ours(network, images, score_threshold=0.05)[0]
    for label in range(3):
        only = ours(network, images, score_threshold=0.05, labels=(label,))[0]
        expected = everything.scores[everything.labels == label]
        assert set(only.labels.tolist()) <= {label}
        torch.testing.assert_close(only.scores[: len(expected)], expected, atol=1e-4, rtol=0)
        assert len(ours(network, images, score_threshold=0.05, labels=(label,), max_detections=1)[0].labels) <= 1


def test_nothing_found_has_masks_of_no_object(network, images):
    found = ours(network, images, score_threshold=0.999999)
    assert [len(item.masks) for item in found] == [0, 0]
