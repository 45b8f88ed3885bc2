from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.instances import Instances
from streamseg.planes import Planes
from streamseg.tracking.appearance import alike, describe

GREY, RED, BLUE, GREEN, WHITE = (90, 90, 90), (170, 40, 45), (40, 50, 160), (50, 130, 60), (220, 220, 220)


def street(seed=0, height=360, width=640):
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), GREY, np.uint8)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def put(picture, box, upper, lower):
    """Somebody with a shirt and trousers."""
    left, top, right, bottom = box
    middle = (top + bottom) // 2
    picture[top:middle, left:right] = upper
    picture[middle:bottom, left:right] = lower
    return picture


def noisy(picture, seed):
    rng = np.random.default_rng(seed)
    return np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def people(*boxes, masks=None):
    count = len(boxes)
    return Instances(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.ones(count, np.float32),
        labels=np.zeros(count, np.int64),
        masks=np.ones((count, 28, 28), np.float32) if masks is None else masks,
        ids=np.zeros(count, np.int64),
        class_names=("person",),
    )


def as_planes(rgb):
    """4:2:0, BT.709 in the limited range, as video has it."""
    empty = np.zeros((0, 0), np.uint8)
    matrix = Planes(empty, empty, empty).to_rgb_matrix()
    inverse = np.linalg.inv(matrix[:, :3])
    y, u, v = np.moveaxis((rgb.astype(float) - matrix[:, 3]) @ inverse.T, -1, 0)
    half = (rgb.shape[1] // 2, rgb.shape[0] // 2)
    y, u, v = (np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in (y, *(cv2.resize(c, half) for c in (u, v))))
    return Planes(y, u, v)


PEOPLE = ((40, 60, 80, 180), (200, 40, 260, 220), (400, 100, 430, 190))
CLOTHES = ((RED, BLUE), (WHITE, GREEN), (BLUE, RED))


def crowd(seed):
    picture = street(seed)
    for box, clothes in zip(PEOPLE, CLOTHES, strict=True):
        put(picture, box, *clothes)
    return noisy(picture, seed)


def test_people_are_told_apart_by_their_clothes_and_by_who_wears_what_where():
    looks = describe(crowd(1), people(*PEOPLE))
    later = describe(crowd(2), people(*PEOPLE))
    assert looks.dtype == np.float32 and looks.shape == later.shape
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1, atol=1e-5)
    likeness = alike(looks, later)
    assert likeness.shape == (3, 3) and likeness.dtype == np.float64
    assert (np.diag(likeness) > 0.8).all() and (likeness[~np.eye(3, dtype=bool)] < 0.2).all()


def test_size_place_and_light_matter_little():
    near, far = (50, 20, 130, 300), (500, 100, 530, 190)
    first = describe(noisy(put(street(1), near, RED, BLUE), 1), people(near))
    dimmed = noisy(put(street(2), far, RED, BLUE), 2)
    shade = (dimmed * 0.8).astype(np.uint8)
    assert alike(first, describe(dimmed, people(far)))[0, 0] > 0.8
    assert alike(first, describe(shade, people(far)))[0, 0] > 0.6


def test_what_stands_in_front_does_not_count():
    box = (100, 50, 180, 250)
    alone = noisy(put(street(1), box, RED, BLUE), 1)
    hidden = alone.copy()
    hidden[50:250, 140:180] = WHITE
    masks = np.zeros((1, 28, 28), np.float32)
    masks[:, :, :13] = 1
    look = describe(alone, people(box))
    assert alike(look, describe(hidden, people(box, masks=masks)))[0, 0] > 0.8
    assert alike(look, describe(hidden, people(box)))[0, 0] < 0.5


def test_video_and_arrays_mean_the_same():
    picture = crowd(3)
    looks, same = describe(picture, people(*PEOPLE)), describe(as_planes(picture), people(*PEOPLE))
    assert ((looks * same).sum(axis=1) > 0.97).all()


@pytest.mark.parametrize(
    "box",
    [(10, 10, 20, 18), (10, 10, 13, 90), (-200, 0, -100, 90), (700, 10, 800, 90), (30, 30, 30, 90), (90, 90, 40, 40)],
    ids=["tiny", "thin", "left of the picture", "right of it", "no width", "inside out"],
)
def test_of_what_can_hardly_be_seen_nothing_is_said(box):
    look = describe(crowd(1), people(box))
    assert not look.any()
    known = describe(crowd(1), people(*PEOPLE))
    assert (alike(look, known) == 0.5).all() and (alike(known, look) == 0.5).all()


def test_without_a_mask_nothing_is_said():
    assert not describe(crowd(1), people(PEOPLE[0], masks=np.zeros((1, 28, 28), np.float32))).any()


def test_nobody():
    looks = describe(crowd(1), people())
    assert looks.shape == (0, describe(crowd(1), people(*PEOPLE)).shape[1])
    assert alike(looks, looks).shape == (0, 0)


def test_strange_boxes_are_no_error():
    wild = people((np.nan, 0, 10, 10), (-1e9, -1e9, 1e9, 1e9), (0, 0, np.inf, 20))
    assert np.isfinite(describe(crowd(1), wild)).all()


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 5))
def test_each_is_described_by_itself(order, seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-20, (600, 320), (6, 2))
    found = people(*np.concatenate([corner, corner + rng.uniform(5, 150, (6, 2))], axis=1).tolist())
    found = replace(found, masks=rng.uniform(0, 1, (6, 28, 28)).astype(np.float32))
    looks = describe(crowd(seed), found)
    np.testing.assert_array_equal(describe(crowd(seed), found[list(order)]), looks[list(order)])
    np.testing.assert_allclose(alike(looks, looks), alike(looks, looks).T)
