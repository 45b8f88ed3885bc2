"""Proposals are those of torchvision's RPN."""

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

from streamseg.models.proposals import Proposer


def rpn(**options) -> RegionProposalNetwork:
    torch.manual_seed(1)
    anchors = AnchorGenerator(((16, 24), (32, 48), (64, 96)), ((0.5, 1.0, 2.0),) * 3)
    head = RPNHead(6, 6)
    for layer in head.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.normal_(layer.weight, std=0.2)
    settings = {
        "fg_iou_thresh": 0.7,
        "bg_iou_thresh": 0.3,
        "batch_size_per_image": 16,
        "positive_fraction": 0.5,
        "pre_nms_top_n": {"training": 90, "testing": 90},
        "post_nms_top_n": {"training": 40, "testing": 40},
        "nms_thresh": 0.7,
    }
    return RegionProposalNetwork(anchors, head, **{**settings, **options}).eval()


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize(
    "options",
    [{}, {"score_thresh": 0.6}, {"nms_thresh": 0.3}, {"pre_nms_top_n": {"training": 5, "testing": 1000}}],
    ids=["plain", "score threshold", "strict suppression", "more than a level has"],
)
def test_same_as_torchvision(images, options):
    network = rpn(**options)
    torch.manual_seed(2)
    levels = [torch.randn(images, 6, 96 >> k, 128 >> k) for k in (3, 4, 5)]
    batch = ImageList(torch.zeros(images, 3, 96, 128), [(96, 128), (90, 100), (64, 128)][:images])
    with torch.inference_mode():
        expected, _ = network(batch, {str(number): level for number, level in enumerate(levels)})
        propose = Proposer(network)
        for found in (propose(batch, levels), propose(batch, levels)):
            assert len(found) == images
            for ours, theirs in zip(found, expected, strict=True):
                assert 0 < len(theirs) == len(ours)
                torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0)


def test_another_size_has_other_anchors():
    propose = Proposer(rpn())
    with torch.inference_mode():
        for height, width in ((96, 128), (128, 96), (96, 128)):
            levels = [torch.randn(1, 6, height >> k, width >> k) for k in (3, 4, 5)]
            boxes = propose(ImageList(torch.zeros(1, 3, height, width), [(height, width)]), levels)[0]
            assert boxes[:, 2].max() <= width and boxes[:, 3].max() <= height
            assert boxes[:, 3].max() > 90
