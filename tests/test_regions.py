"""Regions: which classes are there, how much of the frame they cover, and their run lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from streamseg.regions import Regions

NAMES = ("road", "car", "tree")
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@settings(max_examples=60, deadline=None)
@given(SHAPES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 3))))
def test_run_lengths_are_those_of_pycocotools(labels: np.ndarray) -> None:
    regions = Regions(labels, NAMES)
    assert regions.names == [NAMES[label - 1] for label in (1, 2, 3) if (labels == label).any()]
    for label, share, rle in zip(regions.present, regions.shares, regions.to_rle(), strict=True):
        mask = labels == label
        assert rle["counts"].encode() == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
        assert rle["size"] == list(labels.shape)
        assert share == pytest.approx(mask.mean())


def test_an_empty_frame_has_no_regions() -> None:
    regions = Regions(np.zeros((4, 6), np.uint8), NAMES)
    assert (regions.names, regions.to_rle(), regions.shares.tolist()) == ([], [], [])


def test_a_part_of_a_larger_map_will_do() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[2:6, 2:6] = 3
    part = Regions(labels[2:8:2, 2:8:2], NAMES)
    assert part.names == ["tree"]
    assert part.shares[0] == pytest.approx(4 / 9)
    assert np.array_equal(coco.decode(part.to_rle()[0]), part.labels == 3)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.zeros((2, 2), np.int64), NAMES),
        (np.zeros((2, 2, 1), np.uint8), NAMES),
        (np.zeros((2, 2), np.uint8), [str(number) for number in range(256)]),
    ],
)
def test_what_is_no_map_of_labels_is_refused(labels: np.ndarray, names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"labels are uint8|do not fit"):
        Regions(labels, tuple(names))
