"""Trails on RGB and planes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.overlay.canvas import Canvas
from streamseg.overlay.painter import Painter
from streamseg.overlay.palette import colour_of
from streamseg.planes import Planes

RED = (250, 20, 30)


def grey(height: int, width: int) -> Planes:
    half = -(-height // 2), -(-width // 2)
    return Planes(np.full((height, width), 120, np.uint8), *(np.full(half, 128, np.uint8) for _ in range(2)))


def black(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_a_trail_is_bright_at_its_end_and_fades_away():
    canvas = Canvas(black(40, 120))
    way = np.stack([np.linspace(10, 110, 60), np.full(60, 20.0), np.linspace(0, 1, 60)], 1)
    canvas.trail(way, RED, 2)
    along = canvas.picture[19:22, 10:111, 0].max(axis=0).astype(int)
    assert along[-5:].min() >= 245 and along[:5].max() <= 60
    assert (np.diff(along[2:-2:15]) > 0).all()
    assert (canvas.picture[:16] == 0).all() and (canvas.picture[25:] == 0).all()
    assert (canvas.picture[20, 90] > canvas.picture[20, 90, 2]).tolist() == [True, False, False]


@settings(max_examples=40, deadline=None)
@given(
    points=st.lists(
        st.tuples(*[st.floats(-60, 160) | st.sampled_from([np.nan, np.inf, 1e30, -1e30])] * 2), max_size=12
    ),
    size=st.sampled_from([(40, 60), (41, 59), (1, 1), (2, 3)]),
    line=st.integers(1, 5),
)
def test_any_trail_stays_in_the_picture_and_changes_nothing_else(points, size, line):
    way = np.array([[x, y, (k + 1) / len(points)] for k, (x, y) in enumerate(points)]).reshape(-1, 3)
    known = way[np.isfinite(way).all(axis=1)][:, :2]
    for picture in (grey(*size), black(*size)):
        canvas = Canvas(picture)
        canvas.trail(way, RED, line)
        planes = canvas.picture if isinstance(picture, Planes) else None
        changed = planes.y != 120 if planes is not None else canvas.picture.any(axis=2)
        assert changed.shape == size
        if len(known) < 2:
            assert not changed.any()
            continue
        rows, columns = np.nonzero(changed)
        assert (rows >= known[:, 1].min() - line - 2).all() and (rows <= known[:, 1].max() + line + 2).all()
        assert (columns >= known[:, 0].min() - line - 2).all() and (columns <= known[:, 0].max() + line + 2).all()


@pytest.mark.parametrize("size", [(80, 120), (81, 119)])
def test_planes_look_like_rgb(size):
    steps = np.linspace(0, 1, 40)
    way = np.stack([20 + 130 * steps, 60 - 50 * steps, steps], 1)  # leaves the picture at its right side
    planes = grey(*size)
    drawn = [Canvas(planes), Canvas(planes.to_rgb())]
    for canvas in drawn:
        canvas.trail(way, RED, 4)
    ours, theirs = drawn[0].picture.to_rgb().astype(int), drawn[1].picture
    near = np.abs(theirs.astype(int) - planes.to_rgb()).max(axis=2) > 0
    assert near.sum() > 300
    assert np.percentile(np.abs(ours - theirs).max(axis=2)[near], 60) <= 12
    assert np.abs(ours - theirs)[~near].mean() < 1


def test_painters_draw_the_trails_of_objects_in_their_colours():
    way = [[10, 30, 0.5], [30, 30, 0.8], [50, 30, 1]]
    found = Instances(
        np.array([[40, 5, 60, 30]], np.float32),
        np.ones(1, np.float32),
        np.zeros(1, np.int64),
        np.zeros((1, 28, 28), np.float32),
        np.array([4]),
        ("person",),
        trails=np.array([way], np.float32),
    )
    painter = Painter(show_labels=False, show_ids=False, show_scores=False)
    frame = Frame(black(48, 64), 0, 0, Fraction(1))
    picture = painter.paint(frame, found)
    colour = np.array(colour_of(4, 0))
    assert np.abs(picture[30, 45] - colour).max() <= 2
    assert 0.5 < picture[30, 15].max() / colour.max() < 0.95
    assert not painter.paint(frame, replace(found, trails=None)).any()
