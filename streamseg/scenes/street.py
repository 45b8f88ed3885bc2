"""The lasting part of a scene: road, pavements, houses, trees, posts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from streamseg.scenes import facades, textures
from streamseg.scenes.canvas import Canvas, pyramid
from streamseg.scenes.weather import Light

KERB = 0.12
Picture = list[np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A house: its front stands at ``x`` from ``y1`` to ``y2`` and faces the street; metres."""

    side: int
    x1: float
    x2: float
    y1: float
    y2: float
    height: float
    front: Picture
    wall: Picture
    roof: Picture | None


@dataclass(frozen=True, slots=True)
class Post:
    """What stands on a pavement.

    Attributes:
        kind: ``"lamp"``, ``"sign"``, ``"bollard"``, ``"bin"``, ``"cabinet"`` or ``"tree"``.
        x: Metres to the right of the street's middle line.
        y: Metres along the street.
        height: Metres; of use to lamps, signs and trees.
        variant: Which look, 0 to 3; for a lamp the side of the street, -1 or 1.
    """

    kind: str
    x: float
    y: float
    height: float
    variant: int


@dataclass(frozen=True, slots=True, eq=False)
class Street:
    """Everything of a street that does not move; lengths in metres.

    Attributes:
        half: Half the road's width.
        pavement: Width of each pavement.
        verge: Width of what lies between a pavement and the houses.
        bend: Curvature, 1 / metres; positive bends right.
        crossings: Where zebra crossings lie along the street.
        centre_line: ``"dashed"``, ``"double"`` or ``"none"``.
        parking: Whether lines mark off parking at both kerbs.
        blocks: The houses.
        posts: What stands on the pavements.
        trees: Cut-outs that the trees among the posts are painted with.
        tarmac: Texture of the road.
        slabs: Texture of the pavements.
        beyond: Texture of the ground past them.
        scale: Texture pixels per metre of fronts.
    """

    half: float
    pavement: float
    verge: float
    bend: float
    crossings: tuple[float, ...]
    centre_line: str
    parking: bool
    blocks: list[Block]
    posts: list[Post]
    trees: list[np.ndarray]
    tarmac: Picture
    slabs: Picture
    beyond: Picture
    scale: float

    def at(self, y: float | np.ndarray) -> np.ndarray:
        """Where the middle of the road lies at ``y``."""
        return self.bend * np.asarray(y, float) ** 2 / 2

    def heading(self, y: float) -> float:
        """Direction of the road at ``y``, radians."""
        return float(np.arctan(self.bend * y))

    def strip(self, left: float, right: float, y1: float, y2: float) -> np.ndarray:
        """Outline [N, 2] of a strip of ground between two offsets from the middle."""
        ys = np.linspace(y1, y2, 2 if self.bend == 0 else max(2, int((y2 - y1) / 6) + 1))
        middle = self.at(ys)
        return np.concatenate([np.stack([middle + left, ys], 1), np.stack([middle + right, ys], 1)[::-1]])

    def paint_ground(self, canvas: Canvas) -> None:
        """Paint all that lies flat: verge, pavements, road, kerbs, markings."""
        light = canvas.light
        up = light.flat(np.array([0, 0, 1.0]))
        near, far = canvas.camera.position[1] - 60, canvas.camera.position[1] + 300
        edge = self.half + self.pavement
        for side in (-1, 1):
            canvas.ground(self.beyond, 24, self.strip(side * edge, side * 400, near, far + 200), up, KERB)
            canvas.ground(self.slabs, 36, self.strip(side * self.half, side * edge, near, far), up, KERB)
        canvas.ground(self.tarmac, 40, self.strip(-self.half, self.half, near, far + 200), up)
        self._kerbs(canvas, near, far)
        self._markings(canvas, near, far, up)

    def _kerbs(self, canvas: Canvas, near: float, far: float) -> None:
        for side in (-1, 1):
            normal = np.array([-side, 0, 0.0])
            top, face = np.array([168.0, 166, 162]), np.array([176.0, 174, 170])
            ys = np.arange(near, far, 12.0 if self.bend else 60.0)
            for y1, y2 in itertools.pairwise(ys):
                a, b = self.at(y1) + side * self.half, self.at(y2) + side * self.half
                depth = np.array([abs(y1 - canvas.camera.position[1])])
                upright = np.array([[a, y1, 0], [b, y2, 0], [b, y2, KERB], [a, y1, KERB]])
                flat = np.array(
                    [[a, y1, KERB], [b, y2, KERB], [b + side * 0.16, y2, KERB], [a + side * 0.16, y1, KERB]]
                )
                canvas.polygon(flat, canvas.light.veil(top * canvas.light.flat(np.array([0, 0, 1.0])), depth)[0])
                canvas.polygon(upright, canvas.light.veil(face * canvas.light.flat(normal), depth)[0])

    def _markings(self, canvas: Canvas, near: float, far: float, up: np.ndarray) -> None:
        paint = np.array([214.0, 214, 206])

        def line(left: float, right: float, y1: float, y2: float) -> None:
            outline = self.strip(left, right, y1, y2)
            depth = np.array([max(1.0, (y1 + y2) / 2 - canvas.camera.position[1])])
            canvas.polygon(
                np.concatenate([outline, np.full((len(outline), 1), 0.005)], 1), canvas.light.veil(paint * up, depth)[0]
            )

        if self.centre_line == "dashed":
            for y in np.arange(np.floor(near / 6) * 6, min(far, near + 200), 6.0):
                line(-0.07, 0.07, y, y + 3)
        elif self.centre_line == "double":
            line(-0.16, -0.05, near, far)
            line(0.05, 0.16, near, far)
        if self.parking:
            for side in (-1, 1):
                x = side * (self.half - 2.15)
                line(x - 0.05, x + 0.05, near, far)
        for y in self.crossings:
            for x in np.arange(-self.half + 0.4, self.half - 0.4, 1.0):
                line(x, x + 0.5, y - 1.6, y + 1.6)

    def paint_block(self, canvas: Canvas, block: Block) -> None:
        """Paint a house: its sides, roof and front."""
        a, b = np.array([block.x1, block.y1, KERB]), np.array([block.x2, block.y2, KERB])
        along = (b - a) / np.linalg.norm(b - a)
        inward = np.array([along[1], -along[0], 0.0]) * block.side
        up = np.array([0, 0, 1.0])
        eye = canvas.camera.position
        width, deep, tall = float(np.linalg.norm(b - a)), 9.0, block.height
        for corner, normal in ((a, -along), (b, along)):
            if (eye - corner) @ normal > 0:
                ridge = tall + (0.4 * deep if block.roof is not None else 0)
                outline = np.array([[0, 0], [deep, 0], [deep, tall], [deep / 2, ridge], [0, tall]])
                canvas.plane(block.wall, 24, corner, inward, up, outline, canvas.light.flat(normal))
        if (eye - a) @ inward >= 0:
            return
        if block.roof is not None:
            slope = np.array([inward[0], inward[1], 0.8]) / np.sqrt(1.64)
            outline = np.array([[0, 0], [width, 0], [width, 0.64 * deep], [0, 0.64 * deep]])
            factor = canvas.light.flat(np.array([-inward[0] * 0.6, -inward[1] * 0.6, 0.8]))
            canvas.plane(block.roof, 24, a + up * tall, along, slope, outline, factor)
        outline = np.array([[0, 0], [width, 0], [width, tall], [0, tall]])
        canvas.plane(block.front, self.scale, a + up * tall, along, -up, outline, canvas.light.flat(-inward))


def random_street(
    rng: np.random.Generator,
    light: Light,
    scale: float,
    kind: str | None = None,
    length: float = 130.0,
    fronts: int = 5,
    half: float | None = None,
    crossings: tuple[float, ...] | None = None,
) -> Street:
    """A street by chance.

    Args:
        rng: Where chance comes from.
        light: What shines on it; at dusk windows are lit.
        scale: Texture pixels per metre of fronts.
        kind: ``"city"``, ``"suburb"``, ``"square"`` or ``"open"``; by chance where None.
        length: Metres along which houses stand.
        fronts: How many different houses there are.
        half: Half the road's width in metres; where given, the street is straight as well.
        crossings: Where zebra crossings lie.
    """
    kind = kind or str(rng.choice(["city", "suburb", "square", "open"], p=[0.5, 0.22, 0.13, 0.15]))
    bend = 0.0 if half is not None or rng.random() < 0.6 else float(rng.uniform(-0.006, 0.006))
    half = float(rng.uniform(3.2, 7.5)) if half is None else half
    pavement = float(rng.uniform(7, 14) if kind == "square" else rng.uniform(1.8, 4.5))
    verge = {"city": 0.0, "square": 0.0, "suburb": rng.uniform(3, 8), "open": rng.uniform(10, 30)}[kind]
    if crossings is None:
        crossings = tuple(rng.uniform(6, 70, int(rng.integers(0, 3))).tolist())
    street = Street(
        half, pavement, verge, bend,
        crossings,
        str(rng.choice(["dashed", "double", "none"], p=[0.6, 0.15, 0.25])), bool(rng.random() < 0.3), [], [],
        [textures.tree(rng, float(rng.uniform(-1, 1)), int(8 * max(20, scale))) for _ in range(2)],
        pyramid(textures.asphalt(rng, 256 if scale < 30 else 512)), pyramid(textures.paving(rng)),
        pyramid(textures.grass(rng) if kind in ("suburb", "open") else textures.paving(rng)), scale,
    )  # fmt: skip
    _build_blocks(rng, street, light, kind, length, fronts)
    _plant_posts(rng, street, kind, length)
    return street


def _build_blocks(
    rng: np.random.Generator, street: Street, light: Light, kind: str, length: float, fronts: int
) -> None:
    if kind == "open" and rng.random() < 0.7:
        return
    tall = (5, 9) if kind == "suburb" else (7, 20)
    designs = []
    for _ in range(fronts):
        width, height = float(rng.uniform(8, 17)), float(rng.uniform(*tall))
        picture = facades.facade(rng, width, height, street.scale, light.dusk)
        roof = pyramid(facades.roof_tiles(rng)) if rng.random() < (0.9 if kind == "suburb" else 0.35) else None
        designs.append((width, height, pyramid(picture), pyramid(facades.plain_wall(rng, picture)), roof))
    for side in (-1, 1):
        y = -30.0
        while y < length:
            width, height, front, wall, tiles = designs[rng.integers(len(designs))]
            x = side * (street.half + street.pavement + street.verge)
            x1, x2 = float(street.at(y)) + x, float(street.at(y + width)) + x
            street.blocks.append(Block(side, x1, x2, y, y + width, height, front, wall, tiles))
            y += width + (float(rng.uniform(4, 12)) if rng.random() < (0.7 if kind == "suburb" else 0.15) else 0.0)


def _plant_posts(rng: np.random.Generator, street: Street, kind: str, length: float) -> None:
    leafy = rng.random() < (0.5 if kind == "city" else 0.85)
    for side in (-1, 1):
        offset = side * (street.half + 0.5)
        lamp = float(rng.uniform(18, 32))
        for y in np.arange(rng.uniform(0, lamp), length, lamp):
            street.posts.append(Post("lamp", float(street.at(y)) + offset, float(y), float(rng.uniform(5, 8)), side))
        for y in np.cumsum(rng.uniform(7, 26, 14)) if leafy else []:
            far = side * (street.half + rng.uniform(0.7, max(0.8, street.pavement * 0.5) + street.verge * 0.6))
            street.posts.append(
                Post(
                    "tree",
                    float(street.at(y)) + far,
                    float(y),
                    float(rng.uniform(4, 10)),
                    int(rng.integers(len(street.trees))),
                )
            )
        for y in rng.uniform(0, length, rng.integers(0, 8)):
            far = side * (street.half + rng.uniform(0.3, 0.8))
            kind_of = str(rng.choice(["sign", "bollard", "bin", "cabinet"], p=[0.45, 0.2, 0.2, 0.15]))
            street.posts.append(
                Post(kind_of, float(street.at(y)) + far, float(y), float(rng.uniform(2.2, 3.0)), int(rng.integers(4)))
            )
