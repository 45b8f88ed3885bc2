"""A result shows what its kind of model finds; the other kind is empty or None."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.regions import Regions
from streamseg.result import Result

NAMES = ("road", "car")
FRAME = Frame(np.zeros((4, 6, 3), np.uint8), 0, 0, Fraction(1))


@pytest.mark.parametrize("found", [Instances.empty(NAMES), Regions(np.ones((4, 6), np.uint8), NAMES)])
def test_objects_can_always_be_asked_for(found):
    result = Result(FRAME, found, lambda frame, given: frame.image + (given is found))
    assert (len(result.instances), result.instances.class_names) == (0, NAMES)
    assert (result.regions is found) == isinstance(found, Regions)
    assert (result.regions is None) == (result.instances is found)
    assert result.annotated().all()
