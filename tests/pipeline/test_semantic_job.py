"""The main job with a model that finds regions: every source and sink, and no identities anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import cv2  # isort: skip  # before av
import av
import numpy as np
import pytest
import torch
from pycocotools import mask as coco

import streamseg
from streamseg.cli import main
from streamseg.models import load_model
from streamseg.models import torchvision_zoo as zoo
from streamseg.overlay.painter import Painter
from streamseg.planes import as_rgb
from streamseg.segmenter import Segmenter

NAMES = ("road", "car", "tree")


pytestmark = pytest.mark.usefixtures("one_thread")


def picture(number: int) -> np.ndarray:
    y, x = np.mgrid[:48, :64]
    return np.stack([x * 4, y * 5, (x + 5 * number) % 64 * 4], -1).astype(np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Random weights with fitting norms, so that every class has its share of the picture."""
    torch.manual_seed(3)
    network = zoo.build("lraspp_mobilenet_v3_large", len(NAMES)).train()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    batch = torch.stack([torch.from_numpy(picture(number)).permute(2, 0, 1) for number in range(4)])
    with torch.no_grad():
        network(torch.nn.functional.interpolate(batch / 64 - 2, (128, 160)))
        network.classifier.low_classifier.bias -= network.eval()(batch / 64 - 2)["out"].mean((0, 2, 3))
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save({"model": network.state_dict(), "class_names": ["__background__", *NAMES]}, path)
    return path


@pytest.fixture
def clip(tmp_path) -> Path:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def settings_of(weights: Path, **other: object) -> dict[str, object]:
    return {"weights": str(weights), "device": "cpu", "precision": "fp32", "input_size": 96, **other}


def flags_of(weights: Path) -> list[str]:
    return ["--quiet", *(f"--{name.replace('_', '-')}={value}" for name, value in settings_of(weights).items())]


def test_video_and_records(clip, weights, tmp_path, capsys):
    output, records = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    assert main(["--source", str(clip), "--output", str(output), "--records", str(records), *flags_of(weights)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("streamseg: model lraspp_mobilenet_v3_large (") and "without scores or IDs" in said[0]
    assert said[2].startswith("regions, share of the frames: ") and "object" not in " ".join(said[1:])
    assert not any("track" in line for line in said)
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    assert [(line["frame"], line["instances"]) for line in lines] == [(number, []) for number in range(5)]
    with streamseg.open(clip, **settings_of(weights)) as stream:
        maps = [result.regions for result in stream]
    for line, regions in zip(lines, maps, strict=True):
        assert [each["label"] for each in line["regions"]] == regions.names
        for each, label in zip(line["regions"], regions.present, strict=True):
            assert np.array_equal(coco.decode(each["mask"]), regions.labels == label)
    assert sum(len(line["regions"]) for line in lines) > 5
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5


def test_the_library_gives_regions_and_no_objects(clip, weights):
    with streamseg.open(clip, max_frames=2, **settings_of(weights)) as stream:
        assert stream.class_names == NAMES
        for result in stream:
            assert (len(result.instances), result.instances.class_names) == (0, NAMES)
            assert (result.regions.labels.shape, result.regions.labels.dtype) == ((48, 64), np.uint8)
            assert result.regions.class_names == NAMES
            assert np.array_equal(result.annotated(), as_rgb(Painter().paint(result.frame, result.regions)))
    assert not stream.statistics.objects and set(stream.statistics.covered) <= set(NAMES)
    assert not any(stage.startswith("track") for stage in stream.statistics.busy)


def test_images_become_images(weights, tmp_path):
    pictures, folder = tmp_path / "pictures", tmp_path / "annotated"
    pictures.mkdir()
    for number, name in enumerate(("b.png", "a.png")):
        cv2.imwrite(str(pictures / name), picture(number))
    assert main(["--source", str(pictures), "--output", f"{folder}/", *flags_of(weights)]) == 0
    for name in ("a.png", "b.png"):
        before, after = cv2.imread(str(pictures / name)), cv2.imread(str(folder / name))
        assert before.shape == after.shape and not np.array_equal(before, after)


def test_classes_that_nobody_wants_are_background(clip, weights):
    with streamseg.open(clip, **settings_of(weights)) as stream:
        everything = [result.regions.labels for result in stream]
    wanted = max(range(1, 4), key=lambda label: sum((labels == label).sum() for labels in everything))
    with streamseg.open(clip, classes=[NAMES[wanted - 1]], **settings_of(weights)) as stream:
        for result, before in zip(stream, everything, strict=True):
            assert np.array_equal(result.regions.labels, np.where(before == wanted, wanted, 0))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_settings_for_objects_change_nothing(clip, weights, batch_size):
    objects = {"score_threshold": 0.9, "max_detections": 1, "tracker": "none", "batch_size": batch_size}
    found = []
    for other in ({}, objects):
        with streamseg.open(clip, **settings_of(weights, **other)) as stream:
            found.append([result.regions.labels for result in stream])
    assert np.array_equal(*found)


def test_half_precision_gives_nearly_the_same(weights):
    model = load_model(weights=weights)
    images = [picture(number) for number in range(3)]
    exact, rough = (Segmenter(model, "cpu", kind, input_size=96)(images) for kind in ("fp32", "bf16"))
    same = [(one.labels == other.labels).mean() for one, other in zip(exact, rough, strict=True)]
    assert np.mean(same) > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [({"classes": ["tram"]}, "has no class 'tram'; it knows road, car, tree"), ({"precision": "fp16"}, "needs a GPU")],
)
def test_wrong_arguments(weights, options, message):
    with pytest.raises(streamseg.UserError, match=message):
        Segmenter(load_model(weights=weights), "cpu", **options)
