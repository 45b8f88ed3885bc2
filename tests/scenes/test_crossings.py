"""Clips in which people, cars and cycles hide one another."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from streamseg.scenes import SceneFrame
from streamseg.scenes.crossings import render_crossings
from streamseg.scenes.truth import LABELS, LEAST_PIXELS

SMALL = {"seconds": 3.0, "width": 256, "height": 144, "rate": 4}


@pytest.fixture(scope="module", params=[1, 2])  # a camera that stands, and one that moves
def clip(request: pytest.FixtureRequest) -> list[SceneFrame]:
    return list(render_crossings(request.param, **SMALL))


def test_truth_is_exact(clip: list[SceneFrame]) -> None:
    """No pixel belongs to two objects, boxes are tight, and an identity keeps its class."""
    classes: dict[int, str] = {}
    for frame in clip:
        owners = np.zeros(frame.image.shape[:2], int)
        for found in frame.objects:
            owners[found.mask.slices] += found.mask.pixels
            x1, y1, x2, y2 = found.box
            assert found.mask.pixels.shape == (y2 - y1, x2 - x1)
            assert found.mask.pixels.any(axis=0)[[0, -1]].all() and found.mask.pixels.any(axis=1)[[0, -1]].all()
            assert found.mask.pixels.sum() >= LEAST_PIXELS
            assert classes.setdefault(found.id, found.label) == found.label
        assert owners.max() == 1
        assert len({found.id for found in frame.objects}) == len(frame.objects)
    assert set(classes.values()) <= set(LABELS)


def test_frames_follow_the_rate(clip: list[SceneFrame]) -> None:
    assert [frame.seconds for frame in clip] == pytest.approx(np.arange(12) / 4)
    assert all(frame.image.shape == (144, 256, 3) for frame in clip)


def test_objects_hide_one_another_and_come_back(clip: list[SceneFrame]) -> None:
    """Many boxes overlap, and some objects lose most of what is seen of them and win it back."""
    overlapping = sum(
        first is not second
        and min(first.box[2], second.box[2]) > max(first.box[0], second.box[0])
        and min(first.box[3], second.box[3]) > max(first.box[1], second.box[1])
        for frame in clip
        for first in frame.objects
        for second in frame.objects
    )
    assert overlapping >= 8 * len(clip)
    seen = [{found.id: int(found.mask.pixels.sum()) for found in frame.objects} for frame in clip]
    views = {identity: [frame.get(identity, 0) for frame in seen] for identity in set().union(*seen)}
    hidden = [
        identity
        for identity, view in views.items()
        if any(0.4 * min(max(view[:now]), max(view[now + 1 :])) > view[now] for now in range(1, len(view) - 1))
    ]
    assert len(hidden) >= 3


def test_most_stay_for_the_whole_clip(clip: list[SceneFrame]) -> None:
    times = Counter(found.id for frame in clip for found in frame.objects)
    assert sum(count >= 0.75 * len(clip) for count in times.values()) >= 8


def test_the_camera_moves_in_every_third_seed_only() -> None:
    """What is at the upper edge is a house, which moves in the picture only when the camera does."""
    changes = []
    for seed in (1, 2):
        first, *_, last = (frame.image[:20].astype(float) for frame in render_crossings(seed, 1.5, 256, 144, 2))
        changes.append(np.abs(first - last).mean())
    assert changes[0] < 4 < changes[1]


def test_a_seed_always_gives_the_same_clip(clip: list[SceneFrame]) -> None:
    again = next(render_crossings(1, **SMALL))
    other = next(render_crossings(4, **SMALL))
    same = next(render_crossings(1, **SMALL))
    assert np.array_equal(again.image, same.image) and not np.array_equal(again.image, other.image)
    assert [found.box for found in again.objects] == [found.box for found in same.objects]
