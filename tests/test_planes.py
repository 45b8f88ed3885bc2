"""Planes are the same picture as RGB, whatever their matrix and range."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamseg.planes import Planes, as_rgb

KINDS = list(itertools.product((1, 4, 5, 7, 9), (False, True)))


def flat(rgb: tuple[int, int, int], matrix: int, full_range: bool, size: tuple[int, int] = (8, 12)) -> Planes:
    """A picture of one colour."""
    half = tuple(-(-side // 2) for side in size)
    kind = Planes(*(np.zeros((0, 0), np.uint8),) * 3, matrix, full_range)
    y, u, v = kind.colour(rgb)
    return Planes(*(np.full(s, c, np.uint8) for s, c in ((size, y), (half, u), (half, v))), matrix, full_range)


@pytest.mark.parametrize(("matrix", "full_range"), KINDS)
@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (230, 30, 30), (30, 200, 40), (40, 50, 220)])
def test_colours_survive(rgb, matrix, full_range):
    image = flat(rgb, matrix, full_range).to_rgb()
    assert (image.dtype, image.shape, image.flags.c_contiguous) == (np.uint8, (8, 12, 3), True)
    assert np.abs(image.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize(("matrix", "full_range"), KINDS)
@given(values=st.tuples(*[st.integers(60, 190)] * 3))
def test_the_matrix_is_the_conversion(matrix, full_range, values):
    planes = Planes(*(np.full((2, 2), value, np.uint8) for value in values), matrix, full_range)
    expected = np.clip(planes.to_rgb_matrix() @ [*values, 1], 0, 255)
    planes = Planes(np.repeat(planes.y, 2, 0).repeat(2, 1), planes.u, planes.v, matrix, full_range)
    assert np.abs(planes.to_rgb()[1, 1] - expected).max() <= 1.5


@pytest.mark.parametrize("size", [(2, 2), (7, 9), (48, 64)])
def test_sizes_and_copies(size):
    planes = flat((200, 100, 50), 1, False, size)
    assert (planes.shape, planes.height, planes.width) == (size, *size)
    assert planes.to_rgb().shape == (*size, 3)
    copy = planes.copy()
    copy.y[:] = 0
    assert planes.y.all() and (copy.matrix, copy.full_range) == (1, False)


def test_rgb_is_handed_back_as_it_is():
    image = np.zeros((4, 6, 3), np.uint8)
    assert as_rgb(image) is image
    assert np.array_equal(as_rgb(flat((9, 90, 200), 5, True)), flat((9, 90, 200), 5, True).to_rgb())
