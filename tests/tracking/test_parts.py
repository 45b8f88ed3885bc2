"""The parts of the tracker: motion, overlap, and which classes are alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.tracking.likeness import likeness
from streamseg.tracking.motion import Motion, Noise
from streamseg.tracking.overlap import Shapes, area, box_overlap, intersection, mask_overlap, near_overlap, over_union
from streamseg.tracking.tracks import Tracks

NO_DOUBT = np.ones(1)


def follow(rate: float, seconds: float, velocity: float, growth: float, noise: Noise | None = None) -> Motion:
    """A filter that has watched one object drive to the right and grow, up to ``seconds``."""
    motion = Motion(noise or Noise())
    for step in range(round(rate * seconds) + 1):
        time = step / rate
        half = 20 * np.exp(growth * time)
        box = np.array([[200 + velocity * time - half, 100 - half, 200 + velocity * time + half, 100 + half]])
        if step == 0:
            motion.add(box)
        else:
            motion.predict(1 / rate)
            motion.correct(np.array([0]), box, NO_DOUBT)
    return motion


@pytest.mark.parametrize("rate", [10, 25, 30])
def test_motion_foresees_driving_and_growing(rate: float) -> None:
    motion = follow(rate, 2.0, velocity=80, growth=0.4, noise=Noise(coast=1e6))
    motion.predict(0.5)
    half = 20 * np.exp(0.4 * 2.5)
    assert motion.boxes[0] == pytest.approx([400 - half, 100 - half, 400 + half, 100 + half], abs=0.05 * half)


def test_velocities_fade() -> None:
    motion = follow(20, 2.0, velocity=80, growth=0, noise=Noise(coast=1.0))
    start = motion.boxes[0, 0]
    motion.predict(100.0)
    assert motion.boxes[0, 0] - start < 85


def test_one_long_step_equals_many_short_ones() -> None:
    motions = [follow(20, 1.0, velocity=50, growth=0, noise=Noise(coast=1e6)) for _ in range(2)]
    motions[0].predict(0.6)
    for _ in range(6):
        motions[1].predict(0.1)
    assert motions[0].boxes == pytest.approx(motions[1].boxes, rel=1e-4)
    assert motions[0].spread == pytest.approx(motions[1].spread, rel=1e-4)


def test_uncertainty_grows_unseen_and_shrinks_when_seen() -> None:
    motion = follow(20, 1.0, velocity=0, growth=0)
    before = motion.spread[0]
    motion.predict(0.5)
    unseen = motion.spread[0]
    motion.correct(np.array([0]), motion.boxes, NO_DOUBT)
    assert before < unseen
    assert motion.spread[0] < unseen


def test_doubtful_measurements_move_less() -> None:
    shifts = []
    for doubt in (1.0, 2.0):
        motion = follow(20, 1.0, velocity=0, growth=0)
        before = motion.boxes[0, 0]
        motion.correct(np.array([0]), motion.boxes + 10, np.array([doubt]))
        shifts.append(motion.boxes[0, 0] - before)
    assert 0 < shifts[1] < shifts[0] < 10


def test_tracks_are_added_and_kept_by_row() -> None:
    motion = Motion()
    motion.add(np.array([[0, 0, 10, 10], [50, 50, 70, 90], [5, 5, 5, 5]], float))
    motion.keep(np.array([False, True, True]))
    assert len(motion) == 2
    assert motion.boxes[0] == pytest.approx([50, 50, 70, 90])
    assert np.isfinite(motion.boxes).all()


def test_box_overlap_table() -> None:
    first = np.array([[0, 0, 10, 10], [20, 20, 20, 20]], float)
    second = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [20, 20, 20, 20]], float)
    assert box_overlap(first, second) == pytest.approx(np.array([[1, 1 / 3, 0, 0], [0, 0, 0, 0]]))


def test_near_overlap_table() -> None:
    boxes, other = np.array([[0, 0, 10, 20], [0, 0, 10, 20]], float), np.array([[15, 0, 25, 20], [0, 0, 10, 20]], float)
    # Grown by a half: 20 x 40 at -5..15 and 10..30, so 5 of 35 columns are common.
    assert near_overlap(boxes, other, np.array([0.5, 0])) == pytest.approx(np.array([[1 / 7, 1], [0, 1]]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_mask_overlap_estimates_that_of_the_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = np.mgrid[:28, :28] / 27 - 0.5
    shapes = []
    for _ in range(2):
        x, y = rng.uniform(-0.15, 0.15, 2)
        shapes.append(((grid[1] - x) / 0.35) ** 2 + ((grid[0] - y) / 0.4) ** 2 < 1)
    low = rng.integers(0, 60, (2, 2))
    boxes = np.concatenate([low, low + 28 * rng.integers(2, 6, (2, 2))], axis=1).astype(float)
    pixels = np.zeros((2, 300, 300), bool)
    for shape, box, canvas in zip(shapes, boxes.astype(int), pixels, strict=True):
        factor = (box[3] - box[1]) // 28, (box[2] - box[0]) // 28
        canvas[box[1] : box[3], box[0] : box[2]] = np.kron(shape, np.ones(factor, bool))
    exact = (pixels[0] & pixels[1]).sum() / (pixels[0] | pixels[1]).sum()
    found = mask_overlap(Shapes.of(boxes[:1], shapes[0][None]), Shapes.of(boxes[1:], shapes[1][None]))
    assert found[0] == pytest.approx(exact, abs=0.1)


def test_full_masks_overlap_as_their_boxes_do() -> None:
    boxes, other = np.array([[0, 0, 30, 40.0]]), np.array([[10, 5, 50, 35.0]])
    full = np.ones((1, 28, 28), bool)
    expected = box_overlap(boxes, other)[0, 0]
    assert mask_overlap(Shapes.of(boxes, full), Shapes.of(other, full))[0] == pytest.approx(expected)
    assert mask_overlap(Shapes.of(boxes, full), Shapes.of(other, ~full))[0] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_masks_share_no_more_than_their_boxes(seed: int, filled: float) -> None:
    """The bound by which the tracker spares itself reading most masks holds to the last bit."""
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.integers(0, 60, (2, 20, 2, 2)), axis=2).reshape(2, 20, 4)
    first, second = (Shapes.of(boxes, rng.random((20, 7, 7)) < filled) for boxes in corners)
    shared = intersection(first.boxes, second.boxes).diagonal()
    assert (mask_overlap(first, second) <= over_union(shared, first.areas, second.areas)).all()


def test_areas_are_those_of_the_masks() -> None:
    masks = np.zeros((2, 4, 4), bool)
    masks[0, :, 0] = True
    boxes = np.array([[0, 0, 8, 2], [5, 5, 1, 9]])
    assert area(boxes).tolist() == [16, 0]
    assert Shapes.of(boxes, masks).areas.tolist() == [4, 0]


def test_tracks_are_lines_of_all_their_arrays() -> None:
    tracks, zeros = Tracks.none(), np.zeros(2)
    assert len(tracks) == len(tracks.labels) == 0
    born = Tracks(
        masks=np.ones((2, 7, 7), bool),
        looks=np.ones((2, 3), np.float32),
        votes=np.array([[0, 0.5], [0.9, 0.8]]),
        born=zeros,
        seen=zeros,
        hits=zeros.astype(int),
        missed=zeros.astype(int),
        belief=np.array([3.0, -1.0]),
        numbers=np.array([8, 9]),
        ids=np.array([5, 6]),
    )
    tracks.add(born)
    tracks.add(born)
    tracks.keep(np.array([True, False, False, True]))
    assert tracks.ids.tolist() == [5, 6]
    assert tracks.numbers.tolist() == [8, 9]
    assert tracks.belief.tolist() == [3, -1]
    assert tracks.labels.tolist() == [1, 0]
    assert (tracks.masks.shape, tracks.looks.shape) == ((2, 7, 7), (2, 3))


def test_likeness_orders_confusions() -> None:
    names = ("person", "vehicle", "cycle", "car", "dog")
    table = likeness(names)
    person, vehicle, cycle, car, dog = range(5)
    assert np.array_equal(table, table.T)
    assert (np.diag(table) == 1).all()
    assert table[vehicle, car] > table[person, cycle] > table[person, dog] > table[person, vehicle] > 0
