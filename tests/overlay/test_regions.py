"""The overlay shows every region in the colour of its class, and leaves the rest alone."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from streamseg.frame import Frame
from streamseg.overlay.painter import Painter
from streamseg.overlay.palette import colour_of
from streamseg.regions import Regions

NAMES = ("road", "car", "tree", "sky")
BARE = {"show_outlines": False, "show_labels": False, "show_scores": False}


def frame_of(height: int = 200, width: int = 300, level: int | None = None) -> Frame:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if level is not None:
        image[:] = level
    return Frame(image, 0, 0, Fraction(1, 30))


def discs(height: int = 200, width: int = 300) -> Regions:
    """A road below, a large tree and a small car; nothing above."""
    labels = np.zeros((height, width), np.uint8)
    labels[height * 3 // 4 :] = 1
    cv2.circle(labels, (width // 4, height // 2), height // 4, 3, -1)
    cv2.circle(labels, (width * 3 // 4, height * 3 // 4), height // 40, 2, -1)
    return Regions(labels, NAMES)


def test_every_pixel_has_its_class_mixed_in() -> None:
    frame, regions = frame_of(), discs()
    before = frame.image.copy()
    half = Painter(mask_opacity=0.5, **BARE).paint(frame, regions)
    assert np.array_equal(frame.image, before) and not np.shares_memory(half, frame.image)
    assert (half.dtype, half.shape, half.flags.c_contiguous) == (np.uint8, (200, 300, 3), True)
    for label in regions.present:
        inside = regions.labels == label
        expected = (before[inside].astype(float) + colour_of(0, int(label) - 1)) / 2
        assert np.abs(half[inside].astype(float) - expected).max() <= 0.5
    nothing = regions.labels == 0
    assert np.array_equal(half[nothing], before[nothing])
    solid = Painter(mask_opacity=1, **BARE).paint(frame, regions)
    assert (solid[regions.labels == 3] == colour_of(0, 2)).all()


@pytest.mark.parametrize("regions", [Regions(np.zeros((200, 300), np.uint8), NAMES), discs()])
def test_nothing_to_show_changes_nothing(regions: Regions) -> None:
    options = {} if not len(regions.present) else {"mask_opacity": 0, **BARE}
    frame = frame_of()
    assert np.array_equal(Painter(**options).paint(frame, regions), frame.image)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("option", ["show_outlines", "show_labels", "show_scores"])
def test_each_part_can_be_seen_on_dark_and_bright(option: str, level: int) -> None:
    picture = Painter(mask_opacity=0, **{**BARE, option: True}).paint(frame_of(level=level), discs())
    changed = np.abs(picture.astype(int) - level).max(axis=2) > 60
    assert changed.sum() > 100


def test_outlines_follow_borders_and_not_the_edge_of_the_frame() -> None:
    labels = np.ones((100, 200), np.uint8)
    labels[:, 100:] = 4
    frame = frame_of(100, 200, 128)
    picture = Painter(mask_opacity=0, **{**BARE, "show_outlines": True}).paint(frame, Regions(labels, NAMES))
    changed = (picture != 128).any(axis=2)
    assert changed[:, 97:103].any(axis=1).all()
    assert not changed[:, :90].any() and not changed[:, 110:].any()


def test_a_hole_has_an_outline_too() -> None:
    labels = np.ones((100, 100), np.uint8)
    labels[40:60, 40:60] = 0
    frame = frame_of(100, 100, 128)
    picture = Painter(mask_opacity=0, **{**BARE, "show_outlines": True}).paint(frame, Regions(labels, NAMES))
    assert (picture[39, 40:60] != 128).any(axis=1).all()


def plates(regions: Regions, **options: bool) -> np.ndarray:
    """Where something is written, bool [H, W]."""
    frame = frame_of(*regions.labels.shape, level=128)
    return (Painter(mask_opacity=0, **{**BARE, **options}).paint(frame, regions) != 128).any(axis=2)


def test_plates_lie_on_large_regions_and_beside_small_ones() -> None:
    regions = discs(600, 900)
    written = plates(regions, show_labels=True)
    on = [int((written & (regions.labels == label)).sum()) for label in (1, 2, 3)]
    assert on[0] > 300 and on[2] > 300
    assert on[1] == 0
    assert written.sum() > sum(on) + 300  # the car's is above it, on nothing
    y, x = np.nonzero(written & (regions.labels == 3))
    assert abs(y.mean() - 300) < 15 and abs(x.mean() - 225) < 15


def test_specks_have_no_plate() -> None:
    labels = np.zeros((200, 300), np.uint8)
    labels[100:103, 100:103] = 2
    assert not plates(Regions(labels, NAMES), show_labels=True, show_scores=True).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (8, 12)])
def test_frames_of_any_size_can_be_painted(size: tuple[int, int]) -> None:
    assert Painter().paint(frame_of(*size), Regions(np.ones(size, np.uint8), NAMES)).shape == (*size, 3)


def test_the_last_possible_class_has_a_colour() -> None:
    regions = Regions(np.full((20, 20), 255, np.uint8), tuple(f"class {number}" for number in range(1, 256)))
    assert (Painter(mask_opacity=1, **BARE).paint(frame_of(20, 20), regions) == colour_of(0, 254)).all()
