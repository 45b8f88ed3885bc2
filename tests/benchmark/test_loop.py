from __future__ import annotations

import av
import numpy as np
import pytest
import torch

from streamseg.benchmark.loop import ObviousLoop
from streamseg.errors import UserError
from streamseg.models import load_model
from streamseg.segmenter import Segmenter
from streamseg.settings import Settings
from streamseg.sources import open_source

pytestmark = pytest.mark.usefixtures("one_thread")


def first_picture(path):
    source = open_source(str(path))
    picture = next(iter(source)).image
    source.close()
    return picture


def overlap(one, other):
    return (one & other).sum() / max(1, (one | other).sum())


@pytest.mark.parametrize("size", [None, 256])
def test_it_finds_what_the_segmenter_finds(sample, tmp_path, size):
    picture = first_picture(sample)
    loop = ObviousLoop(Settings(model="street", device="cpu", input_size=size), tmp_path)
    theirs = loop.find(torch.from_numpy(picture.copy()).permute(2, 0, 1))
    (ours,) = Segmenter(load_model("street"), "cpu", "fp32", score_threshold=0.5, input_size=size)([picture])
    assert len(ours) == len(theirs.masks) == len(theirs.words) >= 5
    assert np.abs(ours.boxes - theirs.boxes.numpy()).max() < 1
    pasted = ours.to_masks(*picture.shape[:2])
    assert min(overlap(*pair) for pair in zip(pasted, theirs.masks.numpy(), strict=True)) > 0.97
    assert [word.split()[0] for word in theirs.words] == ours.names


def test_it_writes_a_video_with_every_frame(clip, tmp_path):
    loop = ObviousLoop(Settings(model="street", device="cpu", score_threshold=0.01), tmp_path)
    timing = loop.run(clip, 3)
    assert timing.frames == 3
    with av.open(str(tmp_path / "loop.mp4")) as written:
        assert [(frame.width, frame.height) for frame in written.decode(video=0)] == [(128, 96)] * 3
    with pytest.raises(UserError, match="OpenCV reads only 12 frames of it"):
        loop.run(clip, 13)


def test_the_forward_alone_ends_before_the_pasting(clip, tmp_path):
    loop = ObviousLoop(Settings(model="street", device="cpu"), tmp_path)
    assert loop.forward(clip, 2, 3, "bf16").frames == 6
    picture = torch.from_numpy(first_picture(clip).copy()).permute(2, 0, 1)
    with torch.inference_mode():
        boxed, _ = loop._masks_in_boxes([picture])
        pasted = loop._network(loop._given([picture]))[0]
    torch.testing.assert_close(boxed[0]["scores"], pasted["scores"])
    assert boxed[0]["masks"].shape[-1] == 28 and pasted["masks"].shape[-1] == 128


def test_regions_are_those_of_the_segmenter(sample, tmp_path):
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    torch.manual_seed(0)
    network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4)
    torch.save(network.state_dict(), tmp_path / "net.pth")
    settings = Settings(weights=str(tmp_path / "net.pth"), class_names=("a", "b", "c"), device="cpu", input_size=96)
    picture = first_picture(sample)
    theirs = ObviousLoop(settings, tmp_path).find(torch.from_numpy(picture.copy()).permute(2, 0, 1))
    model = load_model(None, settings.weights, settings.class_names)
    (ours,) = Segmenter(model, "cpu", "fp32", input_size=96)([picture])
    assert theirs.boxes is None and theirs.words == ours.names
    labels = np.zeros(picture.shape[:2], np.uint8)
    for word, mask in zip(theirs.words, theirs.masks.numpy(), strict=True):
        labels[mask] = 1 + settings.class_names.index(word)
    assert (labels == ours.labels).mean() > 0.999
