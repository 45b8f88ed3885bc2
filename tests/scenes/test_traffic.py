from __future__ import annotations

import numpy as np
import pytest

from streamseg.scenes.traffic import WINDOW, Driver, drive


@pytest.fixture
def street() -> tuple[Driver, Driver, list[Driver], dict[float, float]]:
    car, lead = Driver(0.0, 1, 8.0, 4.5), Driver(14.0, 1, 8.5, 4.5)
    oncoming = [Driver(50.0, -1, 8.0, 5.0), Driver(70.0, -1, 9.0, 10.0)]
    opened = drive([[lead, car], oncoming], car, lead, (30.0,), 20.0)
    return car, lead, oncoming, opened


def test_nobody_drives_into_the_one_ahead(street: tuple[Driver, Driver, list[Driver], dict[float, float]]) -> None:
    car, lead, oncoming, _ = street
    assert (np.array(lead.track) - car.track).min() > 4.5
    assert (np.array(oncoming[1].track) - oncoming[0].track).min() > 7.5


def test_everybody_waits_while_people_cross_and_then_goes_on(
    street: tuple[Driver, Driver, list[Driver], dict[float, float]],
) -> None:
    car, lead, oncoming, opened = street
    start = opened[30.0]
    assert lead.at(start) - lead.length / 2 > 30.0
    for seconds in np.arange(start, start + WINDOW, 0.2):
        assert car.at(seconds) + car.length / 2 < 29.0
        assert oncoming[0].at(seconds) - 2.5 > 31.0
    assert car.at(20.0) > 45.0
    assert oncoming[0].at(20.0) < 0.0
    assert (np.diff(car.track) >= 0).all()
