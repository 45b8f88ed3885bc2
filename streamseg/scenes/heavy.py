"""Vans, buses and lorries: bodies that are boxes at heart, with rounded edges, windows, lights and plates."""

from __future__ import annotations

import itertools

import numpy as np

from streamseg.scenes.cars import DARK, PAINTS, WINDOW, wheels
from streamseg.scenes.mesh import GLASS, GLOW, MATTE, PAINT, Builder, Colour, Mesh, box, disc, loft, on_quad, outward

Size = tuple[float, float, float]


def _shell(builder: Builder, profile: np.ndarray, half: float, paint: np.ndarray, layer: int = 1) -> None:
    """Skin of a body whose stations are rows of (x, bottom, top, share of the half width)."""
    across = np.array([-0.94, -1.0, -1.0, -1.0, -1.0, -0.98, -0.90, 0.90, 0.98, 1.0, 1.0, 1.0, 1.0, 0.94])
    up = np.array([0, 0.03, 0.25, 0.5, 0.75, 0.94, 1.0, 1.0, 0.94, 0.75, 0.5, 0.25, 0.03, 0])
    dense = np.linspace(0, len(profile) - 1, 4 * (len(profile) - 1) + 1)
    rows = np.stack([np.interp(dense, np.arange(len(profile)), profile[:, i]) for i in range(4)], 1)
    rings = np.stack(
        [
            np.broadcast_to(rows[:, :1], (len(rows), len(up))),
            rows[:, 3:4] * half * across,
            rows[:, 1:2] + (rows[:, 2:3] - rows[:, 1:2]) * up,
        ],
        axis=2,
    )
    builder.add(loft(rings), paint, PAINT, layer)


def _side(
    builder: Builder,
    half: float,
    x: tuple[float, float],
    z: tuple[float, float],
    colour: Colour | np.ndarray,
    material: int,
    layer: int,
    slices: int = 4,
) -> None:
    """A rectangle on both flanks."""
    stations = np.linspace(*x, slices + 1)
    levels = np.linspace(*z, 5 if material == GLASS else 2)
    for side in (1, -1):
        y = side * half
        for index, (low, high) in enumerate(itertools.pairwise(levels)):
            quads = np.array(
                [[[a, y, low], [b, y, low], [b, y, high], [a, y, high]] for a, b in itertools.pairwise(stations)]
            )
            tint = np.asarray(colour, float) * (0.75 + 0.22 * index if material == GLASS else 1.0)
            builder.add(outward(quads, np.array([0, 0, low])), tint, material, layer)


def _end(
    builder: Builder,
    x: float,
    y: tuple[float, float],
    z: tuple[float, float],
    colour: Colour | np.ndarray,
    material: int,
    layer: int,
    slant: float = 0.0,
) -> None:
    """A rectangle across the front (x > 0) or the rear, its top leaning in by ``slant`` metres."""
    top = x - slant * np.sign(x)
    quad = np.array([[x, y[0], z[0]], [x, y[1], z[0]], [top, y[1], z[1]], [top, y[0], z[1]]])
    strips = on_quad(quad, (0, 1), (0, 1), 4 if material == GLASS else 1)
    builder.add(outward(strips, np.array([0, 0, 1.0])), colour, material, layer)


def _lamps(builder: Builder, front: float, rear: float, half: float, z: float, lit: bool, braking: bool) -> None:
    for side in (1, -1):
        y = sorted((side * half * 0.66, side * half * 0.92))
        _end(
            builder,
            front,
            (y[0], y[1]),
            (z, z + 0.18),
            (255, 250, 225) if lit else (214, 218, 222),
            GLOW if lit else PAINT,
            3,
        )
        red = (255, 60, 44) if lit or braking else (150, 18, 18)
        y = sorted((side * half * 0.84, side * half * 0.97))
        _end(builder, rear, (y[0], y[1]), (z, z + 0.45), red, GLOW if lit or braking else PAINT, 3)
    _end(builder, front, (-0.26, 0.26), (z - 0.25, z - 0.14), (232, 232, 226), MATTE, 4)
    _end(builder, rear, (-0.26, 0.26), (z - 0.15, z - 0.03), (228, 214, 120), MATTE, 4)
    _end(builder, front, (-half * 0.9, half * 0.9), (z - 0.4, z - 0.26), DARK, MATTE, 2)
    _end(builder, rear, (-half * 0.95, half * 0.95), (z - 0.35, z - 0.18), DARK, MATTE, 2)


def _arches(builder: Builder, half: float, stations: tuple[float, ...], radius: float) -> None:
    for x in stations:
        for side in (1, -1):
            builder.add(disc((x, side * (half + 0.006), radius), radius * 1.15, side, 16, 0.62), (14, 14, 15), MATTE, 2)


def van(rng: np.random.Generator, lit: bool = False, braking: bool = False) -> tuple[Mesh, Size]:
    """A delivery van or minibus; returns it and its length, width and height in metres."""
    length, width, height = rng.uniform(4.8, 6.0), rng.uniform(1.9, 2.05), rng.uniform(1.9, 2.6)
    paint = np.array([232.0, 232, 230]) if rng.random() < 0.5 else PAINTS[rng.integers(len(PAINTS))]
    half, reach = width / 2, length / 2
    builder = Builder()
    wheels(builder, reach - 0.9, -reach + 0.95, half, 0.34, rng)
    nose = 1.02
    profile = np.array(
        [
            [-reach, 0.35, height - 0.08, 0.96],
            [-reach + 0.08, 0.28, height, 1.0],
            [reach - 1.75, 0.28, height, 1.0],
            [reach - 0.85, 0.28, nose + 0.12, 0.98],
            [reach - 0.08, 0.28, nose - 0.1, 0.93],
            [reach, 0.32, nose - 0.25, 0.86],
        ]
    )  # fmt: skip
    _shell(builder, profile, half, paint)
    _arches(builder, half, (reach - 0.9, -reach + 0.95), 0.34)
    screen = np.array(
        [
            [reach - 0.88, half * 0.86, nose + 0.16],
            [reach - 0.88, -half * 0.86, nose + 0.16],
            [reach - 1.66, -half * 0.82, height - 0.14],
            [reach - 1.66, half * 0.82, height - 0.14],
        ]
    )
    tint = np.linspace(0.7, 1.6, 5)[:, None] * np.array(WINDOW, float)
    builder.add(outward(on_quad(screen, (0, 1), (0, 1), 5) + np.array([0.03, 0, 0.02]), np.zeros(3)), tint, GLASS, 3)
    _side(builder, half + 0.01, (reach - 2.3, reach - 1.5), (1.12, min(1.75, height - 0.25)), WINDOW, GLASS, 3)
    if rng.random() < 0.4:
        _side(builder, half + 0.01, (-reach + 0.4, reach - 2.45), (1.15, height - 0.35), WINDOW, GLASS, 3)
    elif rng.random() < 0.5:
        _side(builder, half + 0.01, (-reach + 0.8, reach - 2.6), (1.1, 1.45), rng.uniform(20, 220, 3), MATTE, 3)
    for x in (reach - 1.42, reach - 2.4, -reach + 1.9):
        _side(builder, half + 0.008, (x, x + 0.02), (0.4, height - 0.2), paint * 0.4, MATTE, 2)
    for pane in ((0.06, half * 0.84), (-half * 0.84, -0.06)):
        _end(builder, -reach - 0.01, pane, (1.2, height - 0.3), WINDOW, GLASS, 3)
    _end(builder, -reach - 0.01, (-0.012, 0.012), (0.5, height - 0.2), paint * 0.4, MATTE, 2)
    _end(builder, reach + 0.01, (-half * 0.5, half * 0.5), (0.6, 0.74), (40, 41, 44), MATTE, 2)
    _lamps(builder, reach + 0.012, -reach - 0.012, half, 0.66, lit, braking)
    for side in (1, -1):
        y = sorted((side * half, side * (half + 0.2)))
        builder.add(box((reach - 1.5, reach - 1.38), (y[0], y[1]), (1.2, 1.45)), (30, 30, 32), MATTE, 9)
    return builder.mesh(), (length, width, height)


def bus(rng: np.random.Generator, lit: bool = False, braking: bool = False) -> tuple[Mesh, Size]:
    """A city bus or coach; returns it and its length, width and height in metres."""
    length, width, height = rng.uniform(9, 12), 2.5, rng.uniform(2.9, 3.4)
    base = np.array(
        [[190, 24, 28], [228, 228, 224], [30, 80, 140], [220, 170, 40], [40, 110, 80], [220, 110, 40]], float
    )
    paint = base[rng.integers(len(base))]
    half, reach = width / 2, length / 2
    builder = Builder()
    wheels(builder, reach - 2.4, -reach + 3.0, half, 0.48, rng)
    profile = np.array(
        [
            [-reach, 0.4, height - 0.1, 0.97],
            [-reach + 0.1, 0.32, height, 1.0],
            [reach - 0.12, 0.32, height, 1.0],
            [reach, 0.36, height - 0.1, 0.96],
        ]
    )
    _shell(builder, profile, half, paint)
    _arches(builder, half, (reach - 2.4, -reach + 3.0), 0.48)
    top = height - 0.45
    _side(builder, half + 0.008, (-reach + 0.25, reach - 0.1), (1.25, top), (22, 24, 27), GLASS, 2, 12)
    pitch = rng.uniform(1.2, 1.7)
    for x in np.arange(-reach + 0.35, reach - 0.6, pitch):
        _side(
            builder,
            half + 0.01,
            (x, min(x + pitch - 0.1, reach - 0.15)),
            (1.32, top - 0.07),
            np.array(WINDOW) * rng.uniform(0.8, 1.7) + (90 if lit else 0),
            GLASS,
            3,
            2,
        )
    band = base[rng.integers(len(base))]
    _side(builder, half + 0.008, (-reach + 0.1, reach - 0.1), (0.62, 0.82), band, PAINT, 2, 8)
    _side(builder, half + 0.012, (reach - 1.5, reach - 0.4), (0.45, top), np.array(WINDOW) * 1.2, GLASS, 4, 2)
    _end(builder, reach + 0.01, (-half * 0.94, half * 0.94), (1.1, top + 0.02), np.array(WINDOW) * 1.1, GLASS, 3, 0.03)
    _end(builder, reach + 0.012, (-half * 0.7, half * 0.7), (top + 0.08, top + 0.34), (22, 20, 18), MATTE, 3)
    for x in np.linspace(-half * 0.5, half * 0.4, 7):
        _end(builder, reach + 0.02, (x, x + 0.09), (top + 0.13, top + 0.28), (250, 170, 40), GLOW, 4)
    _end(builder, -reach - 0.01, (-half * 0.86, half * 0.86), (1.55, top), WINDOW, GLASS, 3)
    _end(builder, -reach - 0.01, (-half * 0.7, half * 0.7), (0.75, 1.3), paint * 0.5, MATTE, 3)
    _lamps(builder, reach + 0.014, -reach - 0.014, half, 0.72, lit, braking)
    for side in (1, -1):
        y = sorted((side * half * 0.98, side * (half + 0.25)))
        builder.add(box((reach, reach + 0.18), (y[0], y[1]), (1.9, 2.3)), (26, 26, 28), MATTE, 9)
    return builder.mesh(), (length, width, height)


def lorry(rng: np.random.Generator, lit: bool = False, braking: bool = False) -> tuple[Mesh, Size]:
    """A lorry with a box, a tarpaulin or an open bed; returns it and its length, width and height in metres."""
    length, width, height = rng.uniform(6.2, 9.5), 2.4, rng.uniform(2.9, 3.6)
    paint, load = (
        PAINTS[rng.integers(len(PAINTS))],
        rng.uniform(60, 240, 3) if rng.random() < 0.5 else np.array([226.0, 226, 222]),
    )
    half, reach, cab = width / 2, length / 2, 2.0
    builder = Builder()
    wheels(builder, reach - 1.0, -reach + 1.5, half, 0.46, rng)
    builder.add(box((-reach + 0.2, reach - 0.3), (-0.45, 0.45), (0.55, 0.95), 6), DARK, MATTE, 0)
    roof = min(height - 0.3, 2.7)
    profile = np.array(
        [
            [reach - cab, 0.5, roof - 0.04, 0.96],
            [reach - cab + 0.1, 0.45, roof, 0.97],
            [reach - 0.35, 0.45, roof, 0.97],
            [reach - 0.04, 0.45, 1.5, 0.95],
            [reach, 0.5, 1.2, 0.93],
        ]
    )
    _shell(builder, profile, half, paint)
    _arches(builder, half * 0.97, (reach - 1.0,), 0.46)
    screen = np.array(
        [
            [reach - 0.02, half * 0.84, 1.52],
            [reach - 0.02, -half * 0.84, 1.52],
            [reach - 0.31, -half * 0.82, roof - 0.15],
            [reach - 0.31, half * 0.82, roof - 0.15],
        ]
    )
    tint = np.linspace(0.7, 1.5, 5)[:, None] * np.array(WINDOW, float)
    builder.add(outward(on_quad(screen, (0, 1), (0, 1), 5) + np.array([0.02, 0, 0]), np.zeros(3)), tint, GLASS, 3)
    _side(builder, half * 0.97 + 0.01, (reach - 1.25, reach - 0.45), (1.5, roof - 0.25), WINDOW, GLASS, 3)
    _end(builder, reach + 0.01, (-half * 0.7, half * 0.7), (0.95, 1.35), (36, 37, 40), MATTE, 2)
    high = height if rng.random() < 0.8 else 1.9
    body = box((-reach, reach - cab - 0.12), (-half, half), (0.98, high), 8)
    builder.add(body, load, MATTE if rng.random() < 0.5 else PAINT, 1)
    if rng.random() < 0.6:
        middle = (1.0 + high) / 2
        _side(
            builder,
            half + 0.01,
            (-reach + 0.8, reach - cab - 0.9),
            (middle - 0.3, middle + 0.35),
            rng.uniform(20, 220, 3),
            MATTE,
            3,
        )
    _end(builder, -reach - 0.01, (-0.015, 0.015), (1.05, high - 0.1), load * 0.4, MATTE, 3)
    _side(builder, half + 0.005, (-reach, reach - cab - 0.12), (0.98, 1.06), load * 0.45, MATTE, 2, 6)
    _lamps(builder, reach + 0.014, -reach - 0.014, half, 0.75, lit, braking)
    return builder.mesh(), (length, width, height)
