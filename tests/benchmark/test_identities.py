"""Perturbed truth, and identities held by masks and by boxes alone."""

from __future__ import annotations

import numpy as np
import pytest

from streamseg.benchmark.identities import TRUTH, compare, together
from streamseg.benchmark.perturbed import LOW, perturbed
from streamseg.masks import Patch
from streamseg.scenes import SceneFrame, TrueObject, render_crossings
from streamseg.settings import Settings
from streamseg.tracking.overlap import box_overlap


def walk(frames: int, tall: int = 120, hidden: float = 0.0) -> list[SceneFrame]:
    """One person in the middle of a grey picture, of whom the lower part is hidden in every second frame."""
    scene = []
    for number in range(frames):
        seen = round(tall * (1 - hidden)) if number % 2 else tall
        one = TrueObject(7, "person", (300.0, 100.0, 340.0, 100.0 + seen), Patch(np.ones((seen, 40), bool), 300, 100))
        scene.append(SceneFrame(np.full((360, 640, 3), 128, np.uint8), [one], number / 12))
    return scene


@pytest.fixture(scope="module")
def crowd() -> list[SceneFrame]:
    return list(render_crossings(0, seconds=4.0, width=384, height=216, rate=10))


def test_perturbed_truth_looks_like_detections(crowd: list[SceneFrame]) -> None:
    detections = list(perturbed(crowd, 3))
    assert len(detections) == len(crowd)
    for frame, found in zip(crowd, detections, strict=True):
        height, width = frame.image.shape[:2]
        assert found.masks.shape[1:] == (28, 28) and found.masks.min() >= 0 and found.masks.max() <= 1
        assert (found.scores >= LOW).all() and (found.scores <= 1).all()
        assert (found.boxes >= 0).all() and (found.boxes <= [width, height, width, height]).all()
        assert (found.boxes[:, 2:] - found.boxes[:, :2] >= 1.9).all()
    again = list(perturbed(crowd, 3))
    assert all(np.array_equal(one.boxes, two.boxes) for one, two in zip(detections, again, strict=True))
    other = list(perturbed(crowd, 4))
    assert not all(np.array_equal(one.boxes, two.boxes) for one, two in zip(detections, other, strict=True))


def test_what_is_seen_well_is_found_in_its_place() -> None:
    truth = np.array([[300, 100, 340, 220]], float)
    overlaps = [box_overlap(truth, found.boxes).max(initial=0) for found in perturbed(walk(100), 0)]
    assert np.mean(np.array(overlaps) > 0) > 0.95
    assert 0.7 < np.median(overlaps) < 0.97


def test_the_hidden_and_the_small_are_found_with_less_certainty() -> None:
    def sure(frames: list[SceneFrame]) -> float:
        return float(np.mean([(found.scores >= 0.95).any() for found in list(perturbed(frames, 0))[1::2]]))

    assert sure(walk(200)) > sure(walk(200, hidden=0.3)) + 0.1 > sure(walk(200, hidden=0.6)) + 0.2
    assert sure(walk(200)) > sure(walk(200, tall=20)) + 0.1


def test_nobody_there_nothing_found() -> None:
    empty = [SceneFrame(np.zeros((36, 64, 3), np.uint8), [], 0.0)]
    assert [len(found) for found in perturbed(empty, 0)] == [0]
    rows = list(compare(empty, TRUTH, list(perturbed(empty, 0)), Settings()))
    assert [row.scores.switches for row in rows] == [0] * 4


def test_masks_hold_identities_better_than_boxes(crowd: list[SceneFrame]) -> None:
    rows = together(
        [row for seed in (1, 2, 3) for row in compare(crowd, TRUTH, list(perturbed(crowd, seed)), Settings())]
    )
    assert [(row.association, row.by) for row in rows] == [
        (association, by) for association in ("boxes", "masks") for by in ("mask", "box")
    ]
    there = 3 * sum(len(frame.objects) for frame in crowd)
    assert {row.scores.truth for row in rows} == {there}
    boxes, masks = rows[0].scores, rows[2].scores
    assert 0 < masks.switches <= boxes.switches
    figures = rows[0].figures()
    assert figures["detections"] == TRUTH and figures["switches"] == boxes.switches

    double = together([*rows, *rows])
    assert [row.scores.switches for row in double] == [2 * row.scores.switches for row in rows]
    assert [row.scores.idf1 for row in double] == pytest.approx([row.scores.idf1 for row in rows])
