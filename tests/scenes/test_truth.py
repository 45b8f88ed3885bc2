from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.scenes import SceneFrame, render_clip, render_still
from streamseg.scenes.truth import LABELS, LEAST_PIXELS, visible

SMALL = {"width": 160, "height": 96}


@pytest.fixture(scope="module")
def clip() -> list[SceneFrame]:
    return list(render_clip(4, seconds=0.8, rate=8, **SMALL))


@pytest.fixture(scope="module")
def stills() -> list[SceneFrame]:
    return [render_still(seed, **SMALL) for seed in range(8)]


def full(frame: SceneFrame) -> np.ndarray:
    masks = np.zeros((len(frame.objects), *frame.image.shape[:2]), bool)
    for mask, found in zip(masks, frame.objects, strict=True):
        mask[found.mask.slices] = found.mask.pixels
    return masks


@pytest.mark.parametrize("kind", ["clip", "stills"])
class TestEveryFrame:
    @pytest.fixture
    def frames(self, kind: str, request: pytest.FixtureRequest) -> list[SceneFrame]:
        return request.getfixturevalue(kind)

    def test_picture_is_rgb_of_the_size_asked_for(self, frames: list[SceneFrame]) -> None:
        for frame in frames:
            assert frame.image.shape == (96, 160, 3)
            assert frame.image.dtype == np.uint8
            assert frame.image.flags.c_contiguous
            assert frame.image.std() > 10

    def test_box_is_the_tight_box_of_the_mask_inside_the_frame(self, frames: list[SceneFrame]) -> None:
        for frame in frames:
            for found, mask in zip(frame.objects, full(frame), strict=True):
                rows, columns = np.nonzero(mask)
                assert found.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                assert mask.sum() == found.mask.pixels.sum() >= LEAST_PIXELS

    def test_no_pixel_belongs_to_two_objects(self, frames: list[SceneFrame]) -> None:
        assert all(full(frame).sum(0).max(initial=0) <= 1 for frame in frames)

    def test_ids_are_positive_and_occur_once(self, frames: list[SceneFrame]) -> None:
        for frame in frames:
            ids = [found.id for found in frame.objects]
            assert len(set(ids)) == len(ids)
            assert all(identity > 0 for identity in ids)
            assert all(found.label in LABELS for found in frame.objects)

    def test_there_is_something_to_find(self, frames: list[SceneFrame]) -> None:
        assert sum(len(frame.objects) for frame in frames) >= 2 * len(frames)


def test_every_class_occurs(stills: list[SceneFrame]) -> None:
    assert {found.label for frame in stills for found in frame.objects} == set(LABELS)


def test_an_identity_keeps_its_class_and_moves_little_between_frames(clip: list[SceneFrame]) -> None:
    labels: dict[int, str] = {}
    for frame in clip:
        for found in frame.objects:
            assert labels.setdefault(found.id, found.label) == found.label
    for before, after in itertools.pairwise(clip):
        past = {found.id: found for found in before.objects}
        for found in after.objects:
            if found.id in past and found.mask.pixels.sum() > 150:
                middle = np.add(found.box[:2], found.box[2:]) / 2
                was = np.add(past[found.id].box[:2], past[found.id].box[2:]) / 2
                assert np.abs(middle - was).max() < 30


def test_objects_stay_for_most_of_a_second(clip: list[SceneFrame]) -> None:
    first, last = ({found.id for found in frame.objects} for frame in (clip[0], clip[-1]))
    assert len(first & last) >= 0.5 * len(first)


def test_clip_times_follow_the_rate(clip: list[SceneFrame]) -> None:
    assert [frame.seconds for frame in clip] == pytest.approx(np.arange(6) / 8)


def test_the_mask_lies_on_the_object_in_the_picture() -> None:
    """The border of a mask has more contrast in the picture than the same border moved aside."""
    gains = []
    for seed in range(20, 26):
        frame = render_still(seed, 256, 160)
        grey = cv2.GaussianBlur(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), (0, 0), 1).astype(np.float32)
        slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        for mask in full(frame):
            if mask.sum() > 250:
                border = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
                gains.append(slope[border].mean() / slope[np.roll(border, 9, axis=1)].mean())
    assert len(gains) > 6
    assert np.median(gains) > 1.2


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_a_seed_always_gives_the_same_still(seed: int) -> None:
    first, second = render_still(seed, **SMALL), render_still(seed, **SMALL)
    assert np.array_equal(first.image, second.image)
    assert [(found.id, found.label, found.box) for found in first.objects] == [
        (found.id, found.label, found.box) for found in second.objects
    ]


def test_a_seed_always_gives_the_same_clip(clip: list[SceneFrame]) -> None:
    again = next(render_clip(4, seconds=0.8, rate=8, **SMALL))
    other = next(render_clip(5, seconds=0.8, rate=8, **SMALL))
    assert np.array_equal(again.image, clip[0].image)
    assert not np.array_equal(other.image, clip[0].image)


def test_visible_leaves_out_specks_and_cuts_what_is_in_front() -> None:
    slots = np.zeros((30, 40), np.uint8)
    slots[5:25, 10:20] = 1
    slots[10:20, 15:30] = 2
    slots[0, :10] = 3
    found = visible(slots, [(7, "person"), (9, "vehicle"), (11, "cycle")])
    assert [(one.id, one.label, one.box) for one in found] == [
        (7, "person", (10.0, 5.0, 20.0, 25.0)),
        (9, "vehicle", (15.0, 10.0, 30.0, 20.0)),
    ]
    assert found[0].mask.pixels.sum() == 200 - 50
