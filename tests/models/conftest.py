"""What the tests of models share."""

from collections.abc import Callable

import pytest
import torch
from torchvision.models import detection
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN


@pytest.fixture(scope="session")
def kernel_device() -> str:
    """Where kernels can run here: on a GPU, or else interpreted on the CPU."""
    pytest.importorskip("triton", reason="Triton comes with torch on Linux only")
    return "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="session")
def random_network() -> Callable[[str], GeneralizedRCNN]:
    """torchvision's Mask R-CNN of this name for small pictures and 3 classes, with random weights."""

    def make(name: str) -> GeneralizedRCNN:
        torch.manual_seed(0)
        network = getattr(detection, name)(
            weights=None,
            weights_backbone=None,
            num_classes=4,
            min_size=96,
            max_size=160,
            box_detections_per_img=20,
            rpn_post_nms_top_n_test=60,
        )
        return network.eval()

    return make
