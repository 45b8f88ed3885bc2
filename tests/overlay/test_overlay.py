"""The overlay shows every object, on any background and at any size, and touches nothing else."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.overlay.painter import Painter
from streamseg.overlay.palette import colour_of, text_on
from streamseg.overlay.text import Layout, Lettering
from streamseg.result import Result

QUIET = {"show_labels": False, "show_ids": False, "show_scores": False}


def frame_of(height: int, width: int, level: int | None = None) -> Frame:
    if level is None:
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    else:
        image = np.full((height, width, 3), level, np.uint8)
    return Frame(image, 0, 0, Fraction(1, 30))


def ellipses(boxes: list[list[float]], ids: list[int] | None = None, labels: list[int] | None = None) -> Instances:
    count = len(boxes)
    mask = cv2.ellipse(np.zeros((28, 28), np.float32), (14, 14), (12, 12), 0, 0, 360, 1.0, -1)
    return Instances(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, 0.9, np.float32),
        np.array(labels or [0] * count, np.int64),
        np.repeat(mask[None], count, axis=0),
        np.array(ids or range(1, count + 1), np.int64),
        ("person", "vehicle", "cycle"),
    )


def test_the_frame_is_not_modified_and_the_picture_is_new() -> None:
    frame = frame_of(120, 160)
    before = frame.image.copy()
    for instances in (ellipses([[20, 30, 90, 100]]), Instances.empty()):
        picture = Painter(show_boxes=True).paint(frame, instances)
        assert np.array_equal(frame.image, before)
        assert not np.shares_memory(picture, frame.image)
        assert (picture.dtype, picture.shape, picture.flags.c_contiguous) == (np.uint8, (120, 160, 3), True)
        assert np.array_equal(picture, before) == (len(instances) == 0)


def test_paint_serves_a_result() -> None:
    result = Result(frame_of(60, 80), ellipses([[10, 10, 40, 50]]), Painter().paint)
    assert result.annotated() is result.annotated()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(-60, 260) for _ in range(4)]), max_size=6),
    st.sampled_from([(120, 160), (240, 200)]),
    st.booleans(),
)
def test_pixels_away_from_boxes_stay_as_they_were(
    corners: list[tuple[float, ...]], size: tuple[int, int], show_boxes: bool
) -> None:
    height, width = size
    boxes = [[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in corners]
    frame = frame_of(height, width)
    picture = Painter(show_boxes=show_boxes, **QUIET).paint(frame, ellipses(boxes))
    near = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in boxes:
        # One cell of 28 for the torchvision rule, and the width of a line.
        x, y = (x1 - x0) / 28 + 4, (y1 - y0) / 28 + 4
        near[max(int(y0 - y), 0) : max(int(y1 + y), 0), max(int(x0 - x), 0) : max(int(x1 + x), 0)] = True
    assert np.array_equal(picture[~near], frame.image[~near])


def test_mask_opacity_mixes_exactly_the_pasted_pixels() -> None:
    frame, instances = frame_of(100, 100), ellipses([[10, 10, 90, 70]])
    inside = instances.to_masks(100, 100)[0]
    half = Painter(mask_opacity=0.5, show_outlines=False, **QUIET).paint(frame, instances)
    expected = (frame.image[inside].astype(float) + colour_of(1, 0)) / 2
    assert np.abs(half[inside].astype(float) - expected).max() <= 0.5
    assert np.array_equal(half[~inside], frame.image[~inside])
    full = Painter(mask_opacity=1, show_outlines=False, **QUIET).paint(frame, instances)
    assert (full[inside] == colour_of(1, 0)).all()


def test_nothing_to_show_changes_nothing() -> None:
    frame = frame_of(100, 100)
    picture = Painter(mask_opacity=0, show_outlines=False, **QUIET).paint(frame, ellipses([[10, 10, 90, 70]]))
    assert np.array_equal(picture, frame.image)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("option", ["show_outlines", "show_boxes", "show_labels", "show_ids", "show_scores"])
def test_each_part_can_be_seen_on_dark_and_bright(option: str, level: int) -> None:
    off = {"show_outlines": False, "show_boxes": False, **QUIET}
    frame = frame_of(200, 300, level)
    picture = Painter(mask_opacity=0, **{**off, option: True}).paint(frame, ellipses([[40, 50, 240, 180]]))
    changed = np.abs(picture.astype(int) - level).max(axis=2)
    assert (changed > 60).sum() > 100


def test_objects_without_masks_are_outlined_but_not_covered() -> None:
    found = replace(ellipses([[20.2, 30, 90, 100]]), masks=np.ones((1, 1, 1), np.float32), pasting="box")
    frame = frame_of(120, 160, 100)
    picture = Painter(**QUIET).paint(frame, found)
    assert picture[30, 50].tolist() == picture[60, 20].tolist() == list(colour_of(1, 0))
    assert (picture[31:99, 21:89] == 100).all()


def test_small_objects_stay_visible_over_large_ones() -> None:
    instances = ellipses([[80, 80, 120, 120], [10, 10, 190, 190]])
    painter = Painter(mask_opacity=1, show_outlines=False, **QUIET)
    for order in ([0, 1], [1, 0]):
        picture = painter.paint(frame_of(200, 200), instances[order])
        assert picture[100, 100].tolist() == list(colour_of(1, 0))
        assert picture[50, 100].tolist() == list(colour_of(2, 0))


def test_scores_and_then_classes_give_way_beside_small_objects() -> None:
    painter, lettering = Painter(), Lettering.for_height(720)
    middle = lettering.plate("person #1")[0] / 3 + 1  # fonts differ between versions of OpenCV
    texts = [painter._text(ellipses([[0, 0, width, 50]]), 0, lettering) for width in (200, middle, 5)]
    assert texts == ["person #1 90%", "person #1", "#1"]
    assert painter._text(ellipses([[0, 0, 200, 50]], ids=[0]), 0, lettering) == "person 90%"


def test_a_label_without_a_name_is_shown_by_number() -> None:
    assert Painter()._text(ellipses([[0, 0, 300, 50]], labels=[7]), 0, Lettering.for_height(720)) == "class 7 #1 90%"


@pytest.mark.parametrize("opacity", [-0.1, 1.1])
def test_opacity_out_of_bounds_is_refused(opacity: float) -> None:
    with pytest.raises(ValueError, match="mask_opacity"):
        Painter(mask_opacity=opacity)


def test_colours_stay_with_the_identity_and_differ_between_neighbours() -> None:
    colours = [np.array(colour_of(identity, 0)) for identity in range(1, 40)]
    assert all((colour_of(5, label) == colours[4]).all() for label in range(3))
    for first, second in itertools.pairwise(colours):
        assert np.abs(first - second).max() > 80
    assert len({colour_of(0, label) for label in range(3)}) == 3


def test_text_is_legible_on_every_colour() -> None:
    assert (text_on((255, 255, 255)), text_on((0, 0, 0))) == ((0, 0, 0), (255, 255, 255))
    assert (text_on((255, 255, 0)), text_on((0, 0, 255))) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("height", [120, 240, 720, 2160])
def test_letters_grow_with_the_frame_and_stay_readable(height: int) -> None:
    width, plate = Lettering.for_height(height).plate("person #12 98%")
    assert plate >= 12
    assert plate <= max(height / 20, 20)
    assert width > 3 * plate


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-300, 900) for _ in range(4)]), min_size=1, max_size=12))
def test_plates_stay_inside_the_frame(corners: list[tuple[float, ...]]) -> None:
    layout = Layout(480, 640)
    for box in corners:
        x, y = layout.place(np.array(box), (90, 20))
        assert 0 <= x <= 640 - 90
        assert 0 <= y <= 480 - 20


def test_plates_of_objects_at_one_place_do_not_cover_each_other() -> None:
    layout = Layout(480, 640)
    places = [layout.place(np.array([300, 200, 360, 300]), (50, 20)) for _ in range(4)]
    assert places[0] == (300, 180)
    assert len(set(places)) == 4


def test_a_frame_smaller_than_a_plate_can_be_painted() -> None:
    assert Painter(show_boxes=True).paint(frame_of(8, 12), ellipses([[1, 1, 11, 7]])).shape == (8, 12, 3)
