"""Bicycles and motorcycles with their riders; machine and rider are one thing here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamseg.scenes.mesh import MATTE, PAINT, Builder, Colour, Mesh, tubes
from streamseg.scenes.people import Look, head, limbs_of_arms, look, torso


@dataclass(frozen=True, slots=True, eq=False)
class Rider:
    """A cycle and who sits on it; ``rider`` is None for a parked one.

    Attributes:
        rider: Build and clothes.
        paint: Colour of the frame, RGB 0 to 255.
        motor: A motorcycle or scooter rather than a bicycle.
        upright: How upright the rider sits, 0 to 1.
        helmet: Colour of the helmet, or None.
    """

    rider: Look | None
    paint: np.ndarray
    motor: bool
    upright: float
    helmet: np.ndarray | None


def random_rider(rng: np.random.Generator, parked: bool = False) -> Rider:
    """A cycle by chance, every fourth with an engine; nobody on it where ``parked``."""
    person = look(rng)
    while person.height < 1.45 or person.skirt:
        person = look(rng)
    motor = bool(rng.random() < 0.25)
    helmet = rng.uniform(20, 240, 3) if motor or rng.random() < 0.5 else None
    return Rider(None if parked else person, rng.uniform(15, 210, 3), motor, float(rng.uniform(0.3, 1.0)), helmet)


def wheel_outlines(cycle: Rider) -> list[np.ndarray]:
    """The outlines [N, 3] of both wheels in the machine's axes; what shows between the spokes counts as cycle."""
    radius, reach = (0.30, 0.66) if cycle.motor else (0.34, 0.52)
    angle = np.arange(24) * (2 * np.pi / 24)
    rim = np.stack([np.cos(angle) * radius, np.zeros(24), np.sin(angle) * radius + radius], 1)
    return [rim + np.array([reach, 0, 0]), rim - [reach, 0, 0]]


def riding(cycle: Rider, phase: float, sides: int = 8) -> Mesh:
    """The cycle with its rider; ``phase`` turns pedals and wheels, radians."""
    builder = Builder()
    if cycle.motor:
        saddle, grips, pedal = _motorcycle(builder, cycle, phase, sides)
    else:
        saddle, grips, pedal = _bicycle(builder, cycle, phase, sides)
    if cycle.rider is not None:
        _rider(builder, cycle, saddle, grips, pedal, sides)
    return builder.mesh()


def _wheel(builder: Builder, x: float, radius: float, thick: float, phase: float, sides: int) -> None:
    count = 16 if sides > 5 else 10
    angle = np.arange(count + 1) * (2 * np.pi / count)
    rim = np.stack(
        [x + np.cos(angle) * (radius - thick), np.zeros(count + 1), radius + np.sin(angle) * (radius - thick)], 1
    )
    r = np.full(count, thick)
    builder.add(tubes(rim[:-1], rim[1:], r, r, 4).reshape(-1, 4, 3), (28, 28, 30))
    spoke = np.arange(6) * (np.pi / 3) - phase
    hub = np.tile([x, 0, radius], (6, 1))
    tip = hub + np.stack([np.cos(spoke), np.zeros(6), np.sin(spoke)], 1) * (radius - thick)
    builder.add(tubes(hub, tip, np.full(6, 0.008), np.full(6, 0.006), 4).reshape(-1, 4, 3), (140, 142, 146))


def _rods(
    builder: Builder,
    ends: list[tuple[list[float], list[float]]],
    radius: float,
    colour: Colour | np.ndarray,
    material: int,
    sides: int,
) -> None:
    a, b = np.array([e[0] for e in ends], float), np.array([e[1] for e in ends], float)
    r = np.full(len(ends), radius)
    builder.add(tubes(a, b, r, r, max(4, sides - 2)).reshape(-1, 4, 3), colour, material)


def _bicycle(builder: Builder, cycle: Rider, phase: float, sides: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    for x in (0.52, -0.52):
        _wheel(builder, x, 0.34, 0.024, phase, sides)
    crank, seat, fork, rear, front = (
        [-0.06, 0, 0.30],
        [-0.24, 0, 0.84],
        [0.38, 0, 0.82],
        [-0.52, 0, 0.34],
        [0.52, 0, 0.34],
    )
    _rods(
        builder,
        [(crank, seat), (crank, fork), (seat, fork), (crank, rear), (seat, rear), (fork, front)],
        0.022,
        cycle.paint,
        PAINT,
        sides,
    )
    high = 0.98 + 0.08 * cycle.upright
    bar = [0.40, 0, high]
    grips = np.array([[0.36 - 0.1 * cycle.upright, 0.27, high], [0.36 - 0.1 * cycle.upright, -0.27, high]])
    _rods(builder, [(fork, bar), (bar, grips[0].tolist()), (bar, grips[1].tolist())], 0.016, (40, 40, 44), MATTE, sides)
    _rods(builder, [([-0.36, 0, 0.93], [-0.10, 0, 0.93])], 0.05, (24, 24, 26), MATTE, sides)
    turn = np.array([phase, phase + np.pi])
    pedal = (
        np.array(crank) + 0.17 * np.stack([np.cos(turn), np.zeros(2), -np.sin(turn)], 1) + [[0, 0.11, 0], [0, -0.11, 0]]
    )
    _rods(builder, [(crank, pedal[0].tolist()), (crank, pedal[1].tolist())], 0.014, (90, 90, 94), MATTE, sides)
    return np.array([-0.22, 0, 0.98]), grips, pedal


def _motorcycle(builder: Builder, cycle: Rider, phase: float, sides: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    for x in (0.66, -0.66):
        _wheel(builder, x, 0.30, 0.065, phase, sides)
    dark = (38, 38, 42)
    _rods(
        builder,
        [([0.42, 0.08, 0.82], [0.66, 0.08, 0.30]), ([0.42, -0.08, 0.82], [0.66, -0.08, 0.30])],
        0.032,
        (130, 132, 136),
        PAINT,
        sides,
    )
    _rods(builder, [([-0.25, 0, 0.42], [0.22, 0, 0.42])], 0.19, dark, MATTE, sides + 2)
    _rods(builder, [([-0.02, 0, 0.74], [0.34, 0, 0.76])], 0.17, cycle.paint, PAINT, sides + 2)
    _rods(builder, [([-0.72, 0, 0.80], [-0.12, 0, 0.72])], 0.13, (30, 30, 32), MATTE, sides)
    _rods(builder, [([-0.80, 0, 0.68], [-0.50, 0, 0.68])], 0.12, cycle.paint, PAINT, sides)
    _rods(builder, [([-0.62, -0.16, 0.36], [0.0, -0.16, 0.34])], 0.055, (150, 150, 154), PAINT, sides)
    _rods(builder, [([0.44, 0, 0.86], [0.52, 0, 0.88])], 0.11, (230, 232, 226), PAINT, sides)
    _rods(builder, [([-0.86, 0, 0.72], [-0.82, 0, 0.72])], 0.07, (170, 24, 24), PAINT, sides)
    grips = np.array([[0.30, 0.36, 1.0], [0.30, -0.36, 1.0]])
    _rods(
        builder, [([0.38, 0, 0.96], grips[0].tolist()), ([0.38, 0, 0.96], grips[1].tolist())], 0.022, dark, MATTE, sides
    )
    return np.array([-0.28, 0, 0.86]), grips, np.array([[-0.05, 0.2, 0.36], [-0.05, -0.2, 0.36]])


def _rider(
    builder: Builder, cycle: Rider, saddle: np.ndarray, grips: np.ndarray, pedal: np.ndarray, sides: int
) -> None:
    person = cycle.rider
    assert person is not None
    h = person.height
    two = np.ones(2)
    hips = saddle + np.array([[0, 0.055, 0.03], [0, -0.055, 0.03]]) * h
    ankle = pedal + np.array([-0.04, 0, 0.07])
    knee = _bend(hips, ankle, 0.25 * h, 0.24 * h, np.array([1.0, 0, 0.25]))
    below = person.skin if person.shorts else person.bottom
    builder.add(
        tubes(hips, knee, two * 0.052 * h * person.girth, two * 0.036 * h, sides).reshape(-1, 4, 3), person.bottom
    )
    builder.add(tubes(knee, ankle, two * 0.035 * h, two * 0.025 * h, sides).reshape(-1, 4, 3), below * 0.95)
    builder.add(
        tubes(ankle, ankle + np.array([0.15, 0, -0.04]), two * 0.026 * h, two * 0.02 * h, sides).reshape(-1, 4, 3),
        person.shoes,
    )
    lean = np.array([0.34 - 0.26 * cycle.upright, 0, -0.05 + 0.04 * cycle.upright]) * h
    neck = saddle + lean + [0, 0, 0.325 * h]
    torso(builder, person, saddle, lean, sides)
    shoulders = neck + np.array([[0, 0.105, -0.03], [0, -0.105, -0.03]]) * h
    elbow = _bend(shoulders, grips, 0.18 * h, 0.17 * h, np.array([0.0, 0, -1.0]))
    limbs_of_arms(builder, person, shoulders, elbow, grips, sides)
    top = neck + np.array([0.03 * h, 0, 0.085 * h])
    head(builder, person, top, sides)
    if cycle.helmet is not None:
        crown = top + np.array([-0.006 * h, 0, 0.026 * h])
        r = np.array([0.060 * h if not cycle.motor else 0.072 * h])
        builder.add(
            tubes(crown[None] - [0.01, 0, 0.012], crown[None] + [0, 0, 0.014], r, r, sides + 2)[0],
            cycle.helmet,
            PAINT,
            1,
        )


def _bend(start: np.ndarray, end: np.ndarray, first: float, second: float, towards: np.ndarray) -> np.ndarray:
    """The joint [2, 3] between two limbs of given lengths, bent ``towards`` a direction; straight if out of reach."""
    span = end - start
    distance = np.linalg.norm(span, axis=1, keepdims=True)
    along = np.clip((first**2 - second**2 + distance**2) / (2 * distance), 0.2 * first, first)
    out = np.sqrt(np.maximum(first**2 - along**2, 0))
    direction = span / distance
    side = towards - (direction * towards).sum(1, keepdims=True) * direction
    return start + direction * along + side / np.linalg.norm(side, axis=1, keepdims=True) * out
