"""Passenger cars: a rounded body, a glasshouse, wheels, lights and plates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamseg.scenes.mesh import GLASS, GLOW, MATTE, PAINT, Builder, Colour, Mesh, box, disc, loft, on_quad, outward

PAINTS = np.array(
    [
        [222, 224, 226], [236, 236, 232], [24, 25, 28], [36, 38, 42], [96, 100, 106], [140, 144, 150], [172, 176, 180],
        [140, 20, 24], [176, 28, 30], [24, 44, 104], [38, 84, 150], [22, 70, 58], [88, 74, 58], [198, 172, 40],
        [206, 92, 30], [150, 160, 140], [70, 24, 36], [110, 150, 170],
    ],
    float,
)  # fmt: skip
TYRE, DARK, WINDOW = (24, 24, 25), (20, 20, 22), (30, 34, 38)


@dataclass(frozen=True, slots=True)
class CarShape:
    """Measures of a car in metres; positions along the body are shares of half its length, from -1 (rear) to 1."""

    length: float
    width: float
    height: float
    belt: float
    hood: float
    boot: float
    rear_base: float
    rear_roof: float
    front_roof: float
    front_base: float
    clearance: float = 0.20
    wheel: float = 0.32


SHAPES = {
    "hatch": CarShape(3.95, 1.72, 1.48, 0.92, 0.86, 0.96, -0.93, -0.66, 0.16, 0.52),
    "saloon": CarShape(4.65, 1.82, 1.44, 0.92, 0.84, 0.98, -0.70, -0.34, 0.18, 0.48),
    "estate": CarShape(4.70, 1.82, 1.48, 0.93, 0.85, 0.98, -0.95, -0.78, 0.16, 0.48),
    "suv": CarShape(4.55, 1.88, 1.70, 1.06, 1.02, 1.08, -0.94, -0.76, 0.20, 0.50, 0.26, 0.36),
    "mpv": CarShape(4.40, 1.82, 1.66, 0.98, 0.92, 1.02, -0.96, -0.84, 0.28, 0.70),
}


def car(rng: np.random.Generator, lit: bool = False, braking: bool = False) -> tuple[Mesh, CarShape]:
    """A car of random shape and colour, its middle on the origin; ``lit`` turns its lights on."""
    base = SHAPES[str(rng.choice(list(SHAPES)))]
    size = rng.uniform(0.94, 1.06, 3)
    shape = CarShape(
        base.length * size[0], base.width * size[1], base.height * size[2], base.belt * size[2], base.hood * size[2],
        base.boot * size[2], base.rear_base, base.rear_roof, base.front_roof + rng.uniform(-0.05, 0.05),
        base.front_base + rng.uniform(-0.03, 0.05), base.clearance, base.wheel,
    )  # fmt: skip
    paint = np.clip(PAINTS[rng.integers(len(PAINTS))] * rng.uniform(0.85, 1.1), 0, 255)
    builder = Builder()
    wheels(builder, shape.length * 0.29, -shape.length * 0.29, shape.width / 2, shape.wheel, rng)
    _body(builder, shape, paint)
    _ends(builder, shape, paint, lit, braking)
    _sides(builder, shape, paint)
    _glasshouse(builder, shape, paint)
    return builder.mesh(), shape


def wheels(builder: Builder, front: float, rear: float, half: float, radius: float, rng: np.random.Generator) -> None:
    """Four wheels with rims; arches are the body's own."""
    rim = np.array([150, 152, 156]) * rng.uniform(0.45, 1.25)
    one = Builder()
    angle = np.arange(14) * (2 * np.pi / 14)
    circle = np.stack([np.cos(angle) * radius, np.zeros(14), radius + np.sin(angle) * radius], axis=1)
    rings = np.stack([circle + np.array([0, half - 0.22, 0]), circle + np.array([0, half - 0.01, 0])])
    one.add(loft(rings), TYRE, MATTE, 0)
    one.add(disc((0, half - 0.006, radius), radius, 1), TYRE, MATTE, 4)
    one.add(disc((0, half, radius), radius * 0.68, 1), rim, PAINT, 5)
    spokes = disc((0, half, radius), radius * 0.60, 1, 20)
    one.add(spokes[::2] if rng.random() < 0.5 else spokes[1::4], rim * 0.35, MATTE, 6)
    one.add(disc((0, half, radius), radius * 0.16, 1, 8), rim * 0.8, MATTE, 7)
    wheel = one.mesh()
    for x in (front, rear):
        for side in (1, -1):
            faces = wheel.faces * [1, side, 1] + [x, 0, 0]
            builder.append(wheel, faces if side > 0 else faces[:, ::-1])


def _top(shape: CarShape, s: np.ndarray) -> np.ndarray:
    """Height of the lower body's upper edge at stations ``s``."""
    at = [-1.0, -0.97, shape.rear_base, shape.rear_base + 0.12, shape.front_base, 0.93, 1.0]
    z = [shape.boot - 0.1, shape.boot - 0.02, shape.boot, shape.belt, shape.belt, shape.hood - 0.06, shape.hood - 0.2]
    return np.interp(s, np.maximum.accumulate(at), z)


def _body(builder: Builder, shape: CarShape, paint: np.ndarray) -> None:
    s = np.array([-1, -0.985, -0.94, -0.85, -0.7, -0.5, -0.3, 0, 0.25, 0.45, 0.6, 0.75, 0.87, 0.94, 0.98, 1])
    half = shape.width / 2 * (1 - 0.20 * np.abs(s) ** 7 - 0.03 * np.abs(s) ** 2)
    top = _top(shape, s)
    bottom = shape.clearance + 0.10 * np.abs(s) ** 6
    across = np.array([-0.85, -0.96, -1.0, -0.985, -0.93, -0.78, -0.35, 0.35, 0.78, 0.93, 0.985, 1.0, 0.96, 0.85])
    up = np.array([0, 0.10, 0.42, 0.68, 0.90, 0.98, 1.015, 1.015, 0.98, 0.90, 0.68, 0.42, 0.10, 0])
    rings = np.stack(
        [
            np.broadcast_to(s[:, None] * shape.length / 2, (len(s), len(up))),
            half[:, None] * across,
            bottom[:, None] + (top - bottom)[:, None] * up,
        ],
        axis=2,
    )
    builder.add(loft(rings), paint, PAINT, 1)
    sill = box(
        (-shape.length * 0.46, shape.length * 0.46),
        (-half.max() * 0.9, half.max() * 0.9),
        (shape.clearance - 0.02, shape.clearance + 0.1),
        6,
    )
    builder.add(sill, DARK, MATTE, 0)


def _ends(builder: Builder, shape: CarShape, paint: np.ndarray, lit: bool, braking: bool) -> None:
    half, nose, tail = shape.width / 2, shape.length / 2 + 0.01, -shape.length / 2 - 0.01
    z = shape.hood - 0.2

    def patch(
        x: float,
        y1: float,
        y2: float,
        z1: float,
        z2: float,
        colour: Colour | np.ndarray,
        material: int,
        layer: int,
        slant: float = 0.0,
    ) -> None:
        lean = slant * (1 if x > 0 else -1)
        quad = np.array([[x, y1, z1], [x, y2, z1], [x - lean, y2, z2], [x - lean, y1, z2]])
        builder.add(outward(quad[None], np.array([0, 0, 0.6])), colour, material, layer)

    lamp = (255, 250, 225) if lit else (205, 212, 218)
    red = (255, 60, 44) if braking or lit else (150, 16, 18)
    for side in (1, -1):
        y1, y2 = side * half * 0.50, side * half * 0.88
        patch(nose - 0.03, y1, y2, z - 0.10, z + 0.06, (70, 74, 78), GLASS, 2, 0.05)
        patch(nose - 0.02, y1 * 1.1, y2 * 0.94, z - 0.07, z + 0.04, lamp, GLOW if lit else PAINT, 3, 0.04)
        patch(nose, y1 * 1.05, y2 * 0.95, shape.clearance + 0.14, shape.clearance + 0.24, DARK, MATTE, 2)
        low, high = shape.boot - 0.34, shape.boot - 0.10
        patch(tail + 0.01, side * half * 0.54, y2, low, high, red, GLOW if braking or lit else PAINT, 2)
        patch(tail, side * half * 0.60, y2 * 0.94, low + 0.07, low + 0.12, (225, 200, 190), PAINT, 3)
    patch(nose, -half * 0.44, half * 0.44, z - 0.12, z + 0.05, (34, 35, 38), MATTE, 2)
    patch(nose + 0.005, -half * 0.40, half * 0.40, z - 0.05, z - 0.03, (150, 152, 155), PAINT, 3)
    patch(nose, -half * 0.62, half * 0.62, shape.clearance + 0.10, shape.clearance + 0.26, (30, 31, 33), MATTE, 2)
    patch(tail, -half * 0.72, half * 0.72, shape.clearance + 0.04, shape.clearance + 0.20, (36, 37, 40), MATTE, 2)
    patch(tail, -half * 0.98, half * 0.98, shape.clearance + 0.40, shape.clearance + 0.42, paint * 0.4, MATTE, 2)
    patch(nose + 0.01, -0.26, 0.26, shape.clearance + 0.27, shape.clearance + 0.38, (232, 232, 226), MATTE, 4)
    patch(tail - 0.01, -0.26, 0.26, shape.boot - 0.34, shape.boot - 0.22, (228, 214, 120), MATTE, 4)


def _sides(builder: Builder, shape: CarShape, paint: np.ndarray) -> None:
    half = shape.width / 2 * 0.99
    for side in (1, -1):
        y = side * (half + 0.006)
        for x in (shape.length * 0.29, -shape.length * 0.29):
            builder.add(disc((x, y, shape.wheel), shape.wheel * 1.17, side, 16, 0.62), (14, 14, 15), MATTE, 2)
        for s in (-0.44, 0.02, 0.42):
            x = s * shape.length / 2
            line = np.array(
                [
                    [x, y, shape.clearance + 0.1],
                    [x + 0.02, y, shape.clearance + 0.1],
                    [x + 0.02, y, shape.belt - 0.08],
                    [x, y, shape.belt - 0.08],
                ]
            )
            builder.add(outward(line[None], np.zeros(3)), paint * 0.35, MATTE, 2)
        for s in (-0.36, 0.10):
            x, z = s * shape.length / 2, shape.belt - 0.18
            builder.add(
                outward(
                    np.array([[[x, y, z], [x + 0.16, y, z], [x + 0.16, y, z + 0.03], [x, y, z + 0.03]]]), np.zeros(3)
                ),
                paint * 0.6,
                PAINT,
                3,
            )
        x = shape.front_base * shape.length / 2 - 0.28
        mirror = sorted((side * half, side * (half + 0.17)))
        builder.add(
            box((x - 0.07, x + 0.04), (mirror[0], mirror[1]), (shape.belt + 0.02, shape.belt + 0.16)),
            paint * 0.8,
            PAINT,
            9,
        )


def _glasshouse(builder: Builder, shape: CarShape, paint: np.ndarray) -> None:
    reach = shape.length / 2
    half, roof = shape.width / 2 * 0.91, shape.width / 2 * 0.68
    low, high = shape.belt - 0.02, shape.height - 0.05
    rear, front = shape.rear_base * reach, shape.front_base * reach
    back, ahead = shape.rear_roof * reach, shape.front_roof * reach
    bottom = np.array([[rear, half, low], [front, half, low], [front, -half, low], [rear, -half, low]])
    top = np.array([[back, roof, high], [ahead, roof, high], [ahead, -roof, high], [back, -roof, high]])
    centre = np.array([0, 0, low])
    walls = [np.stack([bottom[i], bottom[(i + 1) % 4], top[(i + 1) % 4], top[i]]) for i in range(4)]
    builder.add(outward(np.stack(walls), centre), paint, PAINT, 8)
    crown = np.array([[0.55, shape.height], [-0.55, shape.height]])
    for (y1, z1), (y2, z2) in (((1.0, high), crown[0]), (crown[0], crown[1]), (crown[1], (-1.0, high))):
        quad = np.array(
            [[back, y1 * roof, z1], [ahead, y1 * roof, z1], [ahead - 0.06, y2 * roof, z2], [back + 0.06, y2 * roof, z2]]
        )
        builder.add(outward(quad[None], centre), paint, PAINT, 8)
    split = 0.47
    for wall, windows in (
        (walls[0], [(0.09, split), (split + 0.05, 0.92)]),
        (walls[2], [(0.08, 1 - split - 0.05), (1 - split, 0.91)]),
    ):
        for u in windows:
            _pane(builder, wall, u, (0.10, 0.90), centre)
    _pane(builder, walls[1], (0.05, 0.95), (0.06, 0.94), centre)
    _pane(builder, walls[3], (0.07, 0.93), (0.14, 0.90), centre)


def _pane(
    builder: Builder, wall: np.ndarray, u: tuple[float, float], v: tuple[float, float], centre: np.ndarray
) -> None:
    """A window whose tint grows lighter upwards, as a street's reflection in it does."""
    strips = on_quad(wall, u, v, 6)
    tint = np.linspace(0.75, 1.7, len(strips))[:, None] * np.array(WINDOW, float)
    builder.add(outward(strips, centre), tint, GLASS, 9)
