"""Drawing on planes looks like drawing on RGB, and stays inside the picture."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.overlay.canvas import Canvas
from streamseg.overlay.painter import Painter
from streamseg.planes import Planes
from streamseg.regions import Regions

BARE = {"show_labels": False, "show_ids": False, "show_scores": False}
ORANGE = (240, 150, 20)


def grey(size: tuple[int, int], level: int = 120, matrix: int = 1, full_range: bool = False) -> Planes:
    half = tuple(-(-side // 2) for side in size)
    neutral = np.full(half, 128, np.uint8)
    return Planes(np.full(size, level, np.uint8), neutral, neutral.copy(), matrix, full_range)


def found(*boxes: list[float]) -> Instances:
    count = len(boxes)
    mask = cv2.ellipse(np.zeros((28, 28), np.float32), (14, 14), (12, 12), 0, 0, 360, 1.0, -1)
    return Instances(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, 0.9, np.float32),
        np.zeros(count, np.int64),
        np.repeat(mask[None], count, axis=0),
        np.arange(1, count + 1),
        ("person",),
    )


@pytest.mark.parametrize(("matrix", "full_range"), [(1, False), (5, True)])
@pytest.mark.parametrize("options", [{}, {"show_boxes": True}, {"mask_opacity": 1, **BARE}], ids=str)
@pytest.mark.parametrize("size", [(180, 240), (181, 239), (1080, 1920)])
def test_planes_look_like_rgb(size, options, matrix, full_range):
    planes, instances = grey(size, matrix=matrix, full_range=full_range), found([31, 40, 171, 151], [90, 60, 130.5, 99])
    painter = Painter(**options)
    ours = painter.paint(Frame(planes, 0, 0, Fraction(1)), instances)
    theirs = painter.paint(Frame(planes.to_rgb(), 0, 0, Fraction(1)), instances)
    assert isinstance(ours, Planes) and (ours.matrix, ours.full_range) == (matrix, full_range)
    difference = np.abs(ours.to_rgb().astype(int) - theirs).max(axis=2)
    near = np.abs(theirs.astype(int) - planes.to_rgb()).max(axis=2) > 0
    # Along lines and letters chroma is half as sharp; what lies away from them is the same up to rounding.
    assert np.percentile(difference[near], 60) <= 4
    assert difference[cv2.dilate(near.view(np.uint8), np.ones((5, 5))) == 0].max() <= 1


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.integers(-40, 100)] * 2, *[st.integers(1, 90)] * 2), st.sampled_from([(60, 80), (61, 79), (2, 2)])
)
def test_shapes_at_any_place_stay_inside(place, size):
    x, y, width, height = place
    instances = found([x, y, x + width, y + height])
    planes = grey(size)
    painted = Painter(show_boxes=True).paint(Frame(planes, 0, 0, Fraction(1)), instances)
    assert [p.shape for p in (painted.y, painted.u, painted.v)] == [p.shape for p in (planes.y, planes.u, planes.v)]
    assert (planes.y == 120).all() and (planes.u == 128).all()


@pytest.mark.parametrize("opacity", [0.25, 1])
@pytest.mark.parametrize("place", [(0, 0), (3, 5), (4, 6)])
def test_a_tint_mixes_luma_where_the_shape_is_and_chroma_at_even_pixels(place, opacity):
    x, y = place
    canvas = Canvas(grey((20, 30)))
    canvas.tint(x, y, np.ones((5, 7), np.uint8), ORANGE, opacity)
    full = np.zeros((20, 30), bool)
    full[y : y + 5, x : x + 7] = True
    values = grey((20, 30)).colour(ORANGE)
    for plane, where, level, value in (
        (canvas.picture.y, full, 120, values[0]),
        (canvas.picture.u, full[::2, ::2], 128, values[1]),
        (canvas.picture.v, full[::2, ::2], 128, values[2]),
    ):
        assert np.abs(plane[where] - (level + opacity * (value - level))).max() <= 0.5
        assert (plane[~where] == level).all()


def test_an_outline_has_its_colour_inside_and_a_dark_rim_outside():
    inside = np.zeros((30, 30), np.uint8)
    inside[5:25, 5:25] = 1
    canvas = Canvas(np.full((60, 60, 3), 120, np.uint8))
    canvas.outline(20, 20, inside, ORANGE, 1)
    assert canvas.picture[25, 30].tolist() == list(ORANGE)
    assert canvas.picture[24, 30].tolist() == [20, 20, 20]
    assert (canvas.picture[26:44, 26:44] == 120).all()


def test_regions_are_painted_on_planes_too():
    labels = np.zeros((90, 120), np.uint8)
    labels[40:], labels[:20] = 1, 2
    regions, planes = Regions(labels, ("road", "sky")), grey((90, 120))
    painter = Painter(show_labels=False, show_scores=False)
    ours = painter.paint(Frame(planes, 0, 0, Fraction(1)), regions).to_rgb().astype(int)
    theirs = painter.paint(Frame(planes.to_rgb(), 0, 0, Fraction(1)), regions)
    assert np.percentile(np.abs(ours - theirs), 80) <= 4
