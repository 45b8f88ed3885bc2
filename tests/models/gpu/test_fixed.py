"""Detection in fixed shapes finds what torchvision's own forward finds."""

import numpy as np
import pytest
import torch

from streamseg.models import load_model
from streamseg.models.detect import MaskRCNNDetector
from streamseg.models.gpu import fixed
from streamseg.models.gpu.fixed import LABEL, MASK, SCORE, FixedDetector
from streamseg.models.gpu.prepare import Prepare
from streamseg.models.gpu.runner import instances_of
from streamseg.models.model import DetectOptions
from streamseg.scenes import render_still

SIZE = (90, 120)


@pytest.fixture(scope="module", params=["maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"])
def network(request, random_network):
    return random_network(request.param)


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, *SIZE), np.uint8))


def detector(network, inner, outer, **options):
    whole = MaskRCNNDetector(network)
    return FixedDetector(network, whole._box_pool, whole._mask_pool, inner, outer, DetectOptions(**options))


def ours(network, images, **options):
    prepare = Prepare(network.transform, SIZE, images.device)
    with torch.inference_mode():
        return detector(network, prepare.inner, SIZE, **options)(prepare(images.float()))


def test_same_objects_as_torchvision(network, images):
    found = ours(network, images, score_threshold=0.05, max_detections=20)
    with torch.inference_mode():
        expected = network(list(images.float() / 255))
    assert found.complete.all()
    for places, theirs in zip(found.found, expected, strict=True):
        there = places[places[:, SCORE] >= 0]
        assert len(there) == len(theirs["scores"]) > 0
        assert torch.equal(there[:, LABEL].long(), theirs["labels"] - 1)
        torch.testing.assert_close(there[:, SCORE], theirs["scores"], atol=1e-4, rtol=0)
        torch.testing.assert_close(there[:, :SCORE], theirs["boxes"], atol=0.05, rtol=0)


def test_same_pixels_as_torchvision(network, images):
    places = ours(network, images, score_threshold=0.05, max_detections=20).found[0].numpy()
    model = load_model("street")  # for its rule of pasting, which is torchvision's
    masks = instances_of(places, model).to_masks(*SIZE)
    with torch.inference_mode():
        expected = network(list(images[:1].float() / 255))[0]["masks"][:, 0].numpy() > 0.5
    assert masks.shape == expected.shape
    assert (masks == expected).mean() >= 0.999


@pytest.mark.parametrize(
    "options",
    [{"score_threshold": 0.28}, {"labels": (1,)}, {"labels": (0, 2), "max_detections": 3}, {"score_threshold": 0.99}],
    ids=str,
)
def test_options_mean_the_same_as_in_other_shapes(network, images, options):
    options = {"score_threshold": 0.05, **options}
    found = ours(network, images[:1], **options)
    with torch.inference_mode():
        expected = MaskRCNNDetector(network).detect([images[0]], DetectOptions(**options))[0]
    there = found.found[0][found.found[0, :, SCORE] >= 0]
    assert found.complete.all()
    assert torch.equal(there[:, LABEL].long(), expected.labels)
    torch.testing.assert_close(there[:, SCORE], expected.scores, atol=1e-4, rtol=0)
    assert (there[:, MASK:] - expected.masks.flatten(1)).abs().lt(1e-3).float().mean() > 0.999 or not len(there)


def test_too_many_boxes_are_told(network, images, monkeypatch):
    monkeypatch.setattr(fixed, "CANDIDATES", 5)
    assert not ours(network, images, score_threshold=0.05, max_detections=20).complete.any()
    assert ours(network, images, score_threshold=0.05, max_detections=1).complete.all()  # the best is among any 5
    assert ours(network, images, score_threshold=0.99).complete.all()


def test_the_street_network():
    model = load_model("street")
    image = torch.from_numpy(render_still(3, width=320, height=192).image).permute(2, 0, 1)
    rcnn, options = model.network.rcnn, DetectOptions(0.05)
    with torch.inference_mode():
        expected = model.network.detect([image], options)[0]
        batch, _ = rcnn.transform([image])
        found = detector(rcnn, batch.image_sizes[0], (192, 320), score_threshold=0.05)(batch.tensors).found[0]
    there = found[found[:, SCORE] >= 0]
    assert len(there) == len(expected.scores) > 3
    torch.testing.assert_close(there[:, SCORE], expected.scores, atol=1e-4, rtol=0)
    torch.testing.assert_close(there[:, :SCORE], expected.boxes, atol=0.05, rtol=0)
    torch.testing.assert_close(there[:, MASK:], expected.masks.flatten(1), atol=1e-3, rtol=0)
