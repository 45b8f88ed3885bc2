"""Being fast changes no answers: every model finds what torchvision's own forward finds, however it is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.evaluation.report import RANKING_THRESHOLD, evaluate_data
from streamseg.instances import Instances
from streamseg.models import list_models, load_model
from streamseg.models import torchvision_zoo as zoo
from streamseg.models.checkpoint import embedded_street
from streamseg.models.fitting import load_into
from streamseg.models.registry import STREET
from streamseg.models.street import StreetMaskRCNN, shape_of
from streamseg.planes import BT601, Picture, Planes
from streamseg.regions import Regions
from streamseg.scenes import render_still
from streamseg.segmenter import Segmenter, cpu_has_bf16, cpu_has_int8
from streamseg.training.coco import CocoData

# Least share of equal mask pixels; the most that boxes (pixels), scores and AP may differ.
PIXELS, BOX, SCORE, AP = 0.999, 0.1, 1e-3, 0.003

SHORT, LONG = 128, 213  # sides of what the large networks see here, pixels
LOW, MOST = 0.3, 40  # least score, and number, of the objects that are compared
VAL = Path(__file__).parents[3] / "shared" / "data" / "street" / "val.json"

FASTER: dict[str, Callable[[], bool]] = {"bf16": cpu_has_bf16, "int8": cpu_has_int8}
"""The street model's precisions beside fp32, and whether this CPU has instructions for them."""


def picture(seed: int, height: int, width: int) -> np.ndarray:
    return render_still(seed, width=width, height=height).image


def as_input(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1).float() / 255


def as_planes(image: np.ndarray) -> Planes:
    height, width = image.shape[:2]
    y, u, v = np.split(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).ravel(), [height * width, height * width * 5 // 4])
    half = (height // 2, width // 2)
    return Planes(y.reshape(height, width), u.reshape(half), v.reshape(half), BT601)


def names_of(kind: str) -> list[str]:
    return [entry.name for entry in list_models() if entry.kind == kind]


@dataclass
class Pair:
    """The same model twice: as torchvision has it, and as streamseg runs it."""

    theirs: Any
    ours: Segmenter


@pytest.fixture(scope="module")
def pair(request, tmp_path_factory) -> Pair:
    name: str = request.param
    if name == STREET:
        model = load_model(STREET)
        return Pair(unfolded_street(len(model.class_names)), Segmenter(model, "cpu", "fp32", LOW, MOST))
    network = lively(name, classes=4)
    file = tmp_path_factory.mktemp("weights") / f"{name}.pth"
    torch.save({"model": network.state_dict(), "class_names": list("abcd")}, file)
    segmenter = Segmenter(load_model(name, file), "cpu", "fp32", LOW, MOST, input_size=SHORT)
    file.unlink()
    if name in names_of("instances"):
        limit_work(segmenter._network.rcnn)
    return Pair(network, segmenter)


def unfolded_street(classes: int) -> StreetMaskRCNN:
    checkpoint = embedded_street()
    network = StreetMaskRCNN(shape_of(checkpoint), classes)
    load_into(network, checkpoint, optional=("semantic.",))
    network.roi_heads.score_thresh, network.roi_heads.detections_per_img = LOW, MOST
    return network.eval()


def lively(name: str, classes: int) -> Any:
    """Random weights whose answers differ by more than rounding does."""
    torch.manual_seed(0)
    network = zoo.build(name, classes).eval()
    objects = name in names_of("instances")
    if objects:
        network.transform.min_size, network.transform.max_size = (SHORT,), LONG
        limit_work(network)
    # Random layers behind norms that do not fit them drive everything to one value.
    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    with torch.inference_mode():
        network(torch.stack([as_input(picture(seed, SHORT, SHORT)) for seed in range(2)]))
    if objects:
        with torch.no_grad():
            network.rpn.head.cls_logits.weight.mul_(20)
            network.rpn.head.bbox_pred.weight.mul_(2)
            network.roi_heads.box_predictor.cls_score.weight.mul_(5)
            network.roi_heads.mask_predictor.mask_fcn_logits.weight.mul_(5)
    return network.eval()


def limit_work(network: Any) -> None:
    """Few proposals and objects reach the heads: these take most of a test's time, and treat all of them alike."""
    network.rpn._post_nms_top_n = {"training": 100, "testing": 100}
    network.roi_heads.score_thresh, network.roi_heads.detections_per_img = LOW, MOST


def clear_best(scores: np.ndarray) -> int:
    """How many of the first scores to compare: up to the widest gap, where rounding moves none across."""
    gaps = scores[:-1] - scores[1:]
    return 4 + int(gaps[3:].argmax())


@pytest.mark.parametrize("pair", names_of("instances"), indirect=True)
@pytest.mark.parametrize("size", [(150, 200), (200, 120)])
def test_the_objects_of_torchvision(pair: Pair, size: tuple[int, int]) -> None:
    image = picture(1, *size)
    given = torch.from_numpy(image).permute(2, 0, 1) if isinstance(pair.theirs, StreetMaskRCNN) else as_input(image)
    with torch.inference_mode():
        expected = {key: value.numpy() for key, value in pair.theirs([given])[0].items()}
    count = clear_best(expected["scores"])
    found = pair.ours([image])[0]
    assert isinstance(found, Instances)
    found = found[:count]
    assert len(found) == count >= 4
    # Of two scores that are nearly the same, either may come first.
    far = np.abs(expected["boxes"][:count, None] - found.boxes).max(axis=2)
    far[expected["labels"][:count, None] - 1 != found.labels] = np.inf
    match = far.argmin(axis=1)
    assert sorted(match) == list(range(count))
    assert far.min(axis=1).max() < BOX
    assert np.abs(expected["scores"][:count] - found.scores[match]).max() < SCORE
    masks, others = expected["masks"][:count, 0] > 0.5, found.to_masks(*size)[match]
    assert (masks != others).sum() <= max(1, (1 - PIXELS) * (masks | others).sum())


@pytest.mark.parametrize("pair", names_of("regions"), indirect=True)
@pytest.mark.parametrize("size", [(150, 200), (200, 120)])
def test_the_pixels_of_torchvision(pair: Pair, size: tuple[int, int]) -> None:
    image = picture(1, *size)
    transforms = zoo.transforms(pair.ours.model.name)
    transforms.resize_size = [SHORT]
    with torch.inference_mode():
        logits = pair.theirs(transforms(torch.from_numpy(image).permute(2, 0, 1))[None])["out"]
        expected = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)[0].argmax(0).numpy()
    found = pair.ours([image])[0]
    assert isinstance(found, Regions)
    assert len(np.unique(expected)) > 1
    assert (found.labels == expected).mean() >= PIXELS


@pytest.fixture(scope="module")
def validation() -> CocoData:
    """All of it: of every third picture alone, AP moves by half a point where that of all moves by a tenth."""
    if not VAL.is_file():
        pytest.skip("needs ../shared/data/street")
    return CocoData.read(VAL)


def precision_of(data: CocoData, precision: str) -> float:
    return evaluate_data(Segmenter(load_model(STREET), "cpu", precision, RANKING_THRESHOLD), data).mask["all"].ap


@pytest.fixture(scope="module")
def exact_precision(validation: CocoData) -> float:
    return precision_of(validation, "fp32")


@pytest.mark.parametrize("precision", FASTER)
def test_fewer_bits_find_as_much(validation: CocoData, exact_precision: float, precision: str) -> None:
    if not FASTER[precision]():
        pytest.skip(f"this CPU would take minutes in {precision}")
    assert abs(precision_of(validation, precision) - exact_precision) <= AP


SCENES = [picture(1, 96, 160), picture(2, 160, 96), picture(3, 96, 160)]
KINDS: dict[str, Callable[[np.ndarray], Picture]] = {
    "array": lambda image: image.copy(),
    "read-only": lambda image: np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape),
    "planes": as_planes,
}
asked = st.tuples(st.sampled_from(range(len(SCENES))), st.sampled_from(sorted(KINDS)))
batches = st.lists(asked, min_size=1, max_size=4)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(load_model(STREET), "cpu", "fp32", 0.05)


@pytest.fixture(scope="module")
def alone(segmenter: Segmenter) -> dict[tuple[int, str], Instances]:
    """What is in each picture, asked for one by one; in a thread, since on other numbers of cores sums are rounded."""
    wanted = [(scene, kind) for scene in range(len(SCENES)) for kind in KINDS]
    (results,) = at_once(segmenter, [[[KINDS[kind](SCENES[scene])] for scene, kind in wanted]])
    return {one: found for one, (found,) in zip(wanted, results, strict=True)}


def at_once(segmenter: Segmenter, callers: list[list[list[Picture]]]) -> list[list[list[Instances]]]:
    """The results of several threads that work at the same time, each on its batches."""
    results: list[Any] = [None] * len(callers)

    def call(number: int) -> None:
        results[number] = [segmenter.work(batch) for batch in callers[number]]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(len(callers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def same(first: Instances, second: Instances) -> bool:
    columns = ("boxes", "scores", "labels", "masks")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in columns)


@settings(max_examples=8, deadline=None)
@given(st.lists(batches, min_size=1, max_size=3))
def test_company_changes_nothing(segmenter, alone, callers: list[list[tuple[int, str]]]) -> None:
    """Any number of threads, each with a batch of any size and of any kinds of pictures."""
    pictures = [[[KINDS[kind](SCENES[scene]) for scene, kind in batch]] for batch in callers]
    for batch, (results,) in zip(callers, at_once(segmenter, pictures), strict=True):
        assert len(results) == len(batch)
        for found, one in zip(results, batch, strict=True):
            assert len(found) > 0
            assert same(found, alone[one])


def test_the_kind_of_picture_changes_nothing(segmenter: Segmenter, alone) -> None:
    for scene, image in enumerate(SCENES):
        assert same(alone[scene, "read-only"], alone[scene, "array"])
        # Planes are resized before they become colours: the network sees the same up to rounding.
        (((rounded,),),) = at_once(segmenter, [[[as_planes(image).to_rgb()]]])
        for one, other in ((alone[scene, "planes"], rounded), (rounded, alone[scene, "planes"])):
            sure = one[one.scores > 0.5]
            near = np.abs(sure.boxes[:, None] - other.boxes).max(axis=2) + 99 * (sure.labels[:, None] != other.labels)
            assert len(sure)
            assert near.min(axis=1).max() < 4
