"""Who drives where and when: vehicles that follow one another and give way at zebra crossings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

STEP = 1 / 30
WINDOW = 4.3


@dataclass(slots=True)
class Driver:
    """One vehicle on its lane.

    Attributes:
        y: Where its middle starts, metres along the street.
        ahead: 1 drives along y, -1 against it.
        speed: Metres per second it would like.
        length: Metres.
        track: Its y at each step, filled in by ``drive``.
    """

    y: float
    ahead: int
    speed: float
    length: float
    track: list[float] = field(default_factory=list)

    def at(self, seconds: float) -> float:
        """Metres along the street at a time."""
        return float(np.interp(seconds / STEP, np.arange(len(self.track)), self.track))

    def braking(self, seconds: float) -> bool:
        """Whether its brake lights are on."""
        now = abs(self.at(seconds) - self.at(seconds - 0.2)) / 0.2
        return now + 0.15 < abs(self.at(seconds - 0.3) - self.at(seconds - 0.5)) / 0.2 or (now < 0.4 and seconds > 0.5)


def drive(
    lanes: list[list[Driver]], watcher: Driver, lead: Driver, zebras: tuple[float, ...], seconds: float
) -> dict[float, float]:
    """Fill in every driver's track, and say when people may step on each zebra crossing.

    A crossing opens when ``watcher`` comes near it and ``lead`` has left it, and closes ``WINDOW`` seconds later.
    Following is the Intelligent Driver Model (Treiber, Hennecke, Helbing 2000, Phys. Rev. E 62, eqs. 3 and 4).

    Args:
        lanes: Drivers of each lane, the foremost first.
        watcher: The car with the camera; it is in one of the lanes.
        lead: The vehicle before it.
        zebras: Metres along the street.
        seconds: How long.

    Returns:
        Seconds at which each crossing opens; those that the camera never reaches are missing.
    """
    drivers = [driver for lane in lanes for driver in lane]
    speeds = {id(driver): driver.speed for driver in drivers}
    opened: dict[float, float] = {}
    for driver in drivers:
        driver.track = [driver.y]
    for step in range(int(seconds / STEP) + 2):
        now = step * STEP
        near = [z for z in zebras if z - 26 < watcher.track[-1] < z and now < opened.get(z, now) + WINDOW]
        for z in near:
            if lead.track[-1] - lead.length / 2 > z + 2.0:
                opened.setdefault(z, now)
        moves = []
        for lane in lanes:
            for place, driver in enumerate(lane):
                gaps = _stops(driver, near) if driver is not lead else []
                if place:
                    other = lane[place - 1]
                    room = (other.track[-1] - driver.track[-1]) * driver.ahead - (other.length + driver.length) / 2
                    gaps.append((room, speeds[id(other)]))
                moves.append((driver, speeds[id(driver)] + STEP * _urge(speeds[id(driver)], driver.speed, gaps)))
        for driver, speed in moves:
            speeds[id(driver)] = max(0.0, speed)
            driver.track.append(driver.track[-1] + driver.ahead * STEP * speeds[id(driver)])
    return opened


def _stops(driver: Driver, zebras: list[float]) -> list[tuple[float, float]]:
    """Room before the stop line of each crossing still ahead, and the speed 0 of what waits there; cycles go nearer."""
    before = 2.6 if driver.length > 3 else 1.5
    rooms = [(z - driver.track[-1]) * driver.ahead - driver.length / 2 - before for z in zebras]
    return [(room, 0.0) for room in rooms if room > -1.0]


def _urge(speed: float, wish: float, gaps: list[tuple[float, float]]) -> float:
    """Acceleration, m/s2, for a speed, a wanted speed and (room, speed) of everything ahead."""
    strongest, comfort = 2.2, 2.8
    worst = 0.0
    for room, other in gaps:
        wanted = 1.5 + max(0.0, speed * 0.9 + speed * (speed - other) / (2 * np.sqrt(strongest * comfort)))
        worst = max(worst, wanted / max(room, 0.3))
    return max(-8.0, strongest * (1 - (speed / wish) ** 4 - worst**2))
