"""People who walk: a torso, a head with hair, jointed arms and legs, clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamseg.scenes.mesh import Builder, Mesh, box, loft, tubes

SKINS = np.array(
    [[236, 200, 174], [222, 178, 148], [196, 148, 114], [150, 104, 76], [106, 72, 54], [78, 54, 42]], float
)
HAIRS = np.array(
    [[30, 24, 20], [52, 36, 26], [92, 62, 40], [150, 116, 70], [186, 160, 110], [150, 150, 152], [120, 60, 36]], float
)
TOPS = np.array(
    [
        [24, 26, 32], [40, 44, 60], [70, 76, 84], [30, 50, 96], [150, 30, 36], [196, 190, 180], [232, 232, 232],
        [84, 96, 60], [196, 140, 50], [60, 110, 150], [120, 70, 110], [216, 200, 60], [230, 110, 40], [60, 130, 90],
        [120, 96, 74], [220, 150, 160],
    ],
    float,
)  # fmt: skip
BOTTOMS = np.array(
    [
        [28, 30, 36],
        [36, 44, 70],
        [58, 74, 108],
        [84, 100, 130],
        [96, 88, 76],
        [150, 140, 120],
        [60, 60, 64],
        [20, 20, 22],
    ],
    float,
)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """How one person is built and dressed; heights in metres, colours RGB 0 to 255."""

    height: float
    girth: float
    skin: np.ndarray
    hair: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    shoes: np.ndarray
    long_hair: bool
    hat: bool
    coat: float
    skirt: bool
    bare_arms: bool
    shorts: bool
    inner: np.ndarray | None
    stripes: bool
    backpack: np.ndarray | None
    bag: np.ndarray | None
    swing: float


def look(rng: np.random.Generator) -> Look:
    """A person by chance, one in eight a child."""
    child = rng.random() < 0.12
    skirt = bool(rng.random() < 0.15)

    def colour(table: np.ndarray) -> np.ndarray:
        return np.clip(table[rng.integers(len(table))] * rng.uniform(0.75, 1.2) + rng.normal(0, 8, 3), 8, 245)

    return Look(
        height=float(rng.uniform(1.05, 1.4) if child else np.clip(rng.normal(1.71, 0.09), 1.48, 1.98)),
        girth=float(np.clip(rng.normal(1.0, 0.13), 0.8, 1.4)),
        skin=colour(SKINS),
        hair=colour(HAIRS),
        top=colour(TOPS),
        bottom=colour(BOTTOMS),
        shoes=np.array([[24, 22, 22], [60, 44, 34], [220, 220, 220], [40, 44, 60]], float)[rng.integers(4)],
        long_hair=bool(rng.random() < 0.35),
        hat=bool(rng.random() < 0.15),
        coat=float(rng.choice([0.0, 0.0, 0.0, 0.10, 0.16])),
        skirt=skirt,
        bare_arms=bool(rng.random() < 0.35),
        shorts=bool(rng.random() < 0.15 and not skirt),
        inner=colour(TOPS) if rng.random() < 0.3 else None,
        stripes=bool(rng.random() < 0.1),
        backpack=colour(TOPS) if rng.random() < 0.25 else None,
        bag=colour(TOPS) if rng.random() < 0.25 else None,
        swing=float(rng.uniform(0.75, 1.15)),
    )


def walking(person: Look, phase: float, stride: float = 1.0, sides: int = 8) -> Mesh:
    """The person in mid-step, feet on the origin.

    Args:
        person: Build and clothes.
        phase: Where in the step, radians; a full circle is two steps.
        stride: 0 stands, 1 walks briskly.
        sides: Faces around a limb; 5 will do for somebody far away.
    """
    h, g = person.height, person.girth
    thigh, shin, arm = 0.245 * h, 0.235 * h, 0.17 * h
    swing = 0.48 * stride * person.swing
    legs = np.array([np.sin(phase), -np.sin(phase)]) * swing + 0.04
    lift = np.maximum(0, np.array([np.cos(phase), -np.cos(phase)]))
    knees = legs - (0.10 + 0.72 * lift) * stride - 0.03
    y = np.array([1, -1]) * 0.052 * h
    hip_z = 0.035 * h + (thigh * np.cos(legs) + shin * np.cos(knees)).max()
    hips = np.stack([np.zeros(2), y * 0.95, np.full(2, hip_z)], 1)
    knee = hips + thigh * np.stack([np.sin(legs), np.zeros(2), -np.cos(legs)], 1)
    ankle = knee + shin * np.stack([np.sin(knees), np.zeros(2), -np.cos(knees)], 1)
    toe = ankle + 0.105 * h * np.stack([np.cos(knees * 0.8), np.array([0.15, -0.15]), np.sin(knees * 0.8) - 0.18], 1)
    builder = Builder()
    _legs(builder, person, hips, knee, ankle, toe, sides)
    lean = np.array([0.025 * stride * h, 0, 0])
    base = np.array([0, 0, hip_z])
    shoulders = (
        base
        + lean
        + np.stack([np.zeros(2), np.array([1, -1]) * 0.100 * h * (0.75 + 0.25 * g), np.full(2, 0.282 * h)], 1)
    )
    arms = np.array([-np.sin(phase), np.sin(phase)]) * 0.42 * stride * person.swing
    elbow = shoulders + arm * np.stack([np.sin(arms), np.array([0.16, -0.16]), -np.cos(arms)], 1)
    bend = arms + 0.22 + 0.25 * stride
    hand = elbow + arm * 0.92 * np.stack([np.sin(bend), np.array([-0.04, 0.04]), -np.cos(bend)], 1)
    torso(builder, person, base, lean, sides)
    limbs_of_arms(builder, person, shoulders, elbow, hand, sides)
    head(builder, person, base + lean * 1.3 + [0.012 * h, 0, 0.415 * h], sides)
    if person.bag is not None:
        grip = hand[0] + np.array([0.02, 0.02, -0.03])
        satchel = box((-0.16, 0.16), (-0.05, 0.05), (-0.36, -0.10))
        builder.add(satchel + grip, person.bag)
        strap = np.array([[-0.12, 0, -0.12], [0.12, 0, -0.12]]) + grip
        builder.add(tubes(strap, np.stack([grip, grip]), np.full(2, 0.008), np.full(2, 0.008), 4), person.bag * 0.6)
    return builder.mesh()


def _legs(
    builder: Builder, person: Look, hips: np.ndarray, knee: np.ndarray, ankle: np.ndarray, toe: np.ndarray, sides: int
) -> None:
    h, g = person.height, person.girth
    two = np.ones(2)
    trousers = person.skin if person.skirt else person.bottom
    below = person.skin if person.skirt or person.shorts else person.bottom
    builder.add(tubes(hips, knee, two * 0.052 * h * g, two * 0.036 * h, sides), trousers)
    builder.add(tubes(knee, ankle, two * 0.035 * h, two * 0.025 * h, sides), below * 0.96)
    builder.add(tubes(ankle - [0.02, 0, 0.012 * h], toe, two * 0.026 * h, two * 0.020 * h, sides), person.shoes)


def torso(builder: Builder, person: Look, base: np.ndarray, lean: np.ndarray, sides: int = 8) -> None:
    """Trunk from the hips to the neck, with coat, skirt and backpack; ``base`` is the middle of the hips."""
    h, g = person.height, person.girth
    #            share of the trunk, half depth, half width
    rows = [
        (-0.06, 0.055, 0.075), (0.0, 0.062, 0.092), (0.30, 0.056, 0.080), (0.62, 0.064, 0.098),
        (0.84, 0.058, 0.106), (0.94, 0.044, 0.078), (1.0, 0.026, 0.034),
    ]  # fmt: skip
    up = np.array([0, 0, 0.325 * h])
    count = sides + 4
    angle = np.arange(count) * (2 * np.pi / count)

    def ring(share: float, deep: float, wide: float) -> np.ndarray:
        middle = base + (up + lean) * share
        return middle + np.stack([np.cos(angle) * deep, np.sin(angle) * wide, np.zeros(count)], 1) * h * (
            0.35 + 0.65 * g
        )

    if sides > 8:
        rows = _smooth(rows)
    rings = np.stack([ring(*row) for row in rows])
    upper, lower = person.top, person.top if person.coat or person.skirt else person.bottom
    waist = 1 if sides <= 8 else 3
    cloth = np.tile(upper, (len(rings) - 1 - waist, count, 1))
    if person.stripes:
        cloth[::2] = cloth[::2] * 0.4 + 130
    if person.inner is not None:
        cloth[:, [0, count - 1]] = person.inner
    builder.add(loft(rings[waist:], caps=False), cloth.reshape(-1, 3), layer=0.05)
    builder.add(loft(rings[: waist + 1], caps=False), lower, layer=0.02)
    if person.coat or person.skirt:
        length, flare = (person.coat, 0.088) if person.coat else (0.20, 0.105)
        hem = ring(0, flare, flare + 0.012) - [0, 0, length * h]
        skirt = loft(np.stack([hem, ring(0.25, 0.060, 0.088)]), caps=False)
        builder.add(skirt, person.top if person.coat else person.bottom, layer=0.11)
    if person.backpack is not None:
        middle = base + up * 0.62 + lean * 0.6 - [0.11 * h, 0, 0]
        spine = np.stack([middle - [0, 0, 0.10 * h], middle + np.array([0, 0, 0.07 * h])])
        wide = np.stack([ring(0, 0.045, 0.085) - base + point for point in spine])
        tip = np.stack([ring(0, 0.03, 0.06) - base + spine[1] + [0, 0, 0.04 * h]])
        builder.add(loft(np.concatenate([wide, tip])), person.backpack)


def _smooth(rows: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Rows with two more between each pair, on a smooth curve through them all (Catmull-Rom)."""
    known = np.array([rows[0], *rows, rows[-1]])
    out = []
    for a, b, c, d in zip(known, known[1:], known[2:], known[3:], strict=False):
        for t in (0.0, 1 / 3, 2 / 3):
            out.append(
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
            )
    return [*map(tuple, out), rows[-1]]


def limbs_of_arms(
    builder: Builder, person: Look, shoulders: np.ndarray, elbow: np.ndarray, hand: np.ndarray, sides: int = 8
) -> None:
    """Both arms with hands; every argument but the first two and the last is [2, 3]."""
    h = person.height
    two = np.ones(2)
    builder.add(tubes(shoulders, elbow, two * 0.034 * h, two * 0.026 * h, sides), person.top * 0.97)
    builder.add(
        tubes(elbow, hand, two * 0.025 * h, two * 0.018 * h, sides),
        person.skin if person.bare_arms else person.top * 0.93,
    )
    tip = hand + (hand - elbow) * 0.22
    builder.add(tubes(hand, tip, two * 0.018 * h, two * 0.016 * h, sides), person.skin)


def head(builder: Builder, person: Look, centre: np.ndarray, sides: int = 8) -> None:
    """Neck, face and hair (or a hat) around ``centre``, looking ahead."""
    h = 0.5 * person.height + 0.5 * 1.7
    neck = centre - [0.012 * h, 0, 0.085 * h]
    builder.add(
        tubes(neck[None], centre[None] - [0.004 * h, 0, 0.03 * h], np.array([0.030 * h]), np.array([0.028 * h]), sides)[
            0
        ],
        person.skin * 0.9,
    )
    count = sides + 4
    angle = np.arange(count) * (2 * np.pi / count)
    levels = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 8 if sides <= 8 else 15))
    rings = []
    for level in levels:
        r = np.sqrt(max(1 - level**2, 0.01))
        wide = 0.046 * (1.0 if level > -0.2 else 1.0 + 0.25 * (level + 0.2))
        rings.append(
            centre
            + h * np.stack([np.cos(angle) * 0.056 * r, np.sin(angle) * wide * r, np.full(count, level * 0.066)], 1)
        )
    faces = loft(np.stack(rings))
    local = (faces.mean(1) - centre) / h
    colours = np.broadcast_to(person.skin, (len(faces), 3)).copy()
    eyes = (local[:, 0] > 0.03) & (np.abs(local[:, 2] - 0.008) < 0.011) & (np.abs(np.abs(local[:, 1]) - 0.018) < 0.012)
    colours[eyes] *= 0.6
    hairline = -0.02 if person.long_hair else 0.004
    hairy = (local[:, 2] > 0.034 - 0.35 * np.minimum(local[:, 0], 0.02)) | (
        (local[:, 0] < hairline) & (local[:, 2] > -0.03)
    )
    colours[hairy] = person.hair
    if person.hat:
        colours[local[:, 2] > 0.03] = person.bottom * 0.8 + 20
    builder.add(faces, colours)
    if person.long_hair:
        back = centre - [0.036 * h, 0, 0.0]
        builder.add(
            tubes(back[None], back[None] - [0.01, 0, 0.10 * h], np.array([0.045 * h]), np.array([0.036 * h]), sides)[0],
            person.hair * 0.92,
        )
