from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
import torch

from streamseg.benchmark.following import COUNTS, SIZES, measure_following, moving_objects, moving_pictures
from streamseg.tracking import make_tracker
from streamseg.tracking.camera import CameraMotion


@pytest.mark.parametrize("count", COUNTS)
def test_the_objects_move_are_missed_and_doubted_and_can_be_followed(count):
    frames = list(itertools.islice(moving_objects(count, 1280, 720), 60))
    numbers = [len(found) for found in frames]
    assert 0.8 * count < np.mean(numbers) < 1.3 * count and len(set(numbers)) > 3
    assert any((found.scores < 0.4).any() for found in frames)
    tracker = make_tracker()
    followed = [tracker.update(found, k / 30, (720, 1280)) for k, found in enumerate(frames)]
    assert (followed[-1].ids > 0).sum() > 0.6 * count
    assert len(np.intersect1d(followed[40].ids, followed[-1].ids)) > 0.5 * count
    moved = np.abs(frames[-1].boxes[:5] - frames[0].boxes[:5])
    assert moved.max() > 10


def test_the_pictures_are_those_of_a_camera_that_swings_or_stands():
    nothing = np.zeros((0, 4))
    swinging, standing = CameraMotion(), CameraMotion()
    shifts = [swinging.update(one, nothing)[0, 2] for one in moving_pictures(640, 360, True)]
    for one in moving_pictures(640, 360, False):
        standing.update(one, nothing)
    assert max(shifts) > 3 and min(shifts) < -3 and not swinging.still
    assert standing.still


def test_every_part_is_timed_on_one_core():
    threads = cv2.getNumThreads(), torch.get_num_threads()
    rows = measure_following(repeats=1)
    assert (cv2.getNumThreads(), torch.get_num_threads()) == threads
    assert [(row["part"], tuple(row["size"]), row["instances"]) for row in rows] == [
        ("tracker", SIZES[0], 20),
        ("tracker", SIZES[0], 100),
        ("camera, moving", SIZES[0], 20),
        ("camera, still", SIZES[0], 20),
        ("camera, moving", SIZES[1], 20),
        ("camera, still", SIZES[1], 20),
        ("looks", SIZES[0], 20),
        ("all, camera moving", SIZES[0], 20),
    ]
    assert all(row["ms"] > 0 for row in rows)
