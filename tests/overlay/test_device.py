"""What a GPU paints is what the CPU paints; without a GPU, its kernels run in Triton's interpreter."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.overlay.painter import Painter
from streamseg.planes import Planes, pack, packed_size
from streamseg.regions import Regions

pytest.importorskip("triton", reason="Triton comes with torch on Linux only")

from streamseg.overlay import device_table
from streamseg.overlay.device import DevicePainter

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
RANDOM = np.random.default_rng(3)

BOXES = {
    "inside": (20, 15, 61, 50),
    "small": (70.4, 8.2, 76.9, 15.1),
    "over another": (40.5, 30.2, 90.7, 66.6),
    "beyond every side": (-30, -20, 140, 110),
    "beyond a corner": (100.3, 60.1, 180, 130),
    "outside": (300, 10, 340, 40),
    "without area": (50, 20, 50, 40),
    "without end": (0, 0, np.inf, 10),
}


def blob(cells: int = 28) -> np.ndarray:
    """A mask with soft edges, a hole and a part of its own."""
    y, x = (np.mgrid[:cells, :cells] + 0.5) / cells
    disc = 1.4 - 2.6 * np.hypot(x - 0.45, y - 0.5)
    hole = np.hypot(x - 0.5, y - 0.5) < 0.12
    spot = (x > 0.9) & (y < 0.1)
    return np.clip(np.where(hole, 0.1, np.maximum(disc, spot)) + RANDOM.normal(0, 0.05, (cells, cells)), 0, 1)


def objects(names, pasting) -> Instances:
    count = len(names)
    return Instances(
        boxes=np.array([BOXES[name] for name in names], np.float32).reshape(-1, 4),
        scores=np.linspace(0.9, 0.4, count).astype(np.float32),
        labels=np.arange(count) % 2,
        masks=np.array([blob() for _ in names], np.float32).reshape(-1, 28, 28),
        ids=np.arange(count),
        class_names=("person", "vehicle"),
        pasting=pasting,
    )


def planes(height: int, width: int) -> Planes:
    y, u, v = (
        RANDOM.integers(16, 235, shape, np.uint8)
        for shape in ((height, width), *[(-(-height // 2), -(-width // 2))] * 2)
    )
    return Planes(y, u, v)


def rgb(height: int, width: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, 3), np.uint8)


def arrays(picture):
    return (picture.y, picture.u, picture.v) if isinstance(picture, Planes) else (picture,)


def painted(picture, found, copies=lambda _: None, **look):
    frame = Frame(picture, 0, 0, Fraction(1, 30))
    return [
        painter.paint(frame, found)
        for painter in (Painter(**look), DevicePainter(**look, device=DEVICE, copies=copies))
    ]


def close(one, other) -> bool:
    """Within two levels at all pixels but those few where a mask is at its threshold."""
    assert type(one) is type(other)
    return all(
        (np.abs(a.astype(int) - b) <= 2).mean() >= 0.998 and a.shape == b.shape
        for a, b in zip(arrays(one), arrays(other), strict=True)
    )


@pytest.mark.parametrize("pasting", ["torchvision", "aligned"])
@pytest.mark.parametrize("make", [planes, rgb])
@pytest.mark.parametrize("size", [(80, 140), (79, 133)], ids=str)
def test_same_picture(make, size, pasting):
    picture = make(*size)
    before = [array.copy() for array in arrays(picture)]
    on_cpu, on_device = painted(picture, objects(list(BOXES), pasting))
    assert close(on_cpu, on_device)
    assert not close(on_device, picture)
    assert all(np.array_equal(*pair) for pair in zip(before, arrays(picture), strict=True))


@pytest.mark.parametrize(
    "look",
    [
        {"mask_opacity": 0},
        {"mask_opacity": 1.0},
        {"show_outlines": False},
        {"show_boxes": True},
        {"mask_opacity": 0, "show_outlines": False},
        {"show_labels": False, "show_ids": False, "show_scores": False},
    ],
    ids=str,
)
def test_every_look(look):
    assert close(*painted(planes(60, 100), objects(["inside", "over another", "small"], "torchvision"), **look))


@pytest.mark.parametrize("line", [1, 3, 4])
def test_wide_lines(line, monkeypatch):
    for module in ("painter", "device"):
        monkeypatch.setattr(f"streamseg.overlay.{module}.line_for", lambda _: line)
    assert close(*painted(planes(60, 100), objects(["inside", "beyond a corner"], "torchvision")))


def test_nothing_and_nothing_visible():
    for names in ([], ["outside", "without area"]):
        assert close(*painted(planes(40, 60), objects(names, "torchvision")))


def test_many_pixels_are_painted_in_parts(monkeypatch):
    monkeypatch.setattr(device_table, "MOST_PIXELS", 900)
    assert close(*painted(rgb(80, 140), objects(["inside", "over another", "small", "beyond a corner"], "aligned")))


def test_trails_and_objects_without_masks():
    found = objects(["inside", "over another"], "torchvision")
    ways = np.array(
        [[[10, 50, 0.4], [30, 40, 0.7], [40, 50, 1]], [[np.nan] * 3, [90, 10, 0.5], [65, 66, 1]]], np.float32
    )
    followed = replace(found, trails=ways)
    assert close(*painted(planes(60, 100), followed))
    assert not close(painted(planes(60, 100), followed)[1], painted(planes(60, 100), found)[1])
    bare = replace(found, masks=np.ones((2, 1, 1), np.float32), pasting="box")
    on_cpu, on_device = painted(rgb(60, 100), bare)
    assert np.array_equal(on_cpu, on_device)


def test_regions_are_painted_on_the_cpu():
    labels = np.zeros((40, 60), np.uint8)
    labels[5:30, 10:50] = 2
    on_cpu, on_device = painted(rgb(40, 60), Regions(labels, ("road", "sky")))
    assert np.array_equal(on_cpu, on_device)


def test_the_copy_that_is_there_is_painted_on():
    picture = planes(40, 60)
    other = replace(picture, y=255 - picture.y)
    row = torch.empty(packed_size(other), dtype=torch.uint8)
    pack(other, row.numpy())
    found = objects(["small"], "torchvision")
    _, on_device = painted(picture, found, copies=lambda asked: row.to(DEVICE) if asked is picture else None)
    on_cpu, _ = painted(other, found)
    assert close(on_cpu, on_device)


def test_too_little_memory_is_made_up_for_by_the_cpu(monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(DevicePainter, "_paint_group", fail)
    on_cpu, on_device = painted(planes(40, 60), objects(["inside"], "torchvision"))
    assert all(np.array_equal(*pair) for pair in zip(arrays(on_cpu), arrays(on_device), strict=True))
