"""House fronts: walls, windows, doors, shops with awnings and signs, painted flat and stood up later."""

from __future__ import annotations

import cv2
import numpy as np

from streamseg.scenes.textures import noise

WALLS = np.array(
    [
        [150, 86, 68], [124, 70, 58], [176, 120, 90], [206, 196, 176], [222, 214, 200], [190, 180, 166],
        [168, 166, 162], [214, 190, 140], [196, 160, 130], [130, 134, 138], [230, 226, 220], [178, 196, 200],
        [120, 104, 90], [206, 150, 120],
    ],
    float,
)  # fmt: skip
SIGNS = np.array(
    [
        [170, 30, 30],
        [24, 60, 120],
        [28, 100, 60],
        [220, 180, 40],
        [40, 40, 44],
        [230, 230, 226],
        [120, 40, 100],
        [220, 110, 30],
    ],
    float,
)


def facade(rng: np.random.Generator, width: float, height: float, scale: float, dusk: bool = False) -> np.ndarray:
    """A front ``width`` x ``height`` metres, uint8 [height * scale, width * scale, 3]; row 0 is the roof's edge."""
    columns, rows = max(8, int(width * scale)), max(8, int(height * scale))
    wall = np.clip(WALLS[rng.integers(len(WALLS))] * rng.uniform(0.8, 1.1) + rng.normal(0, 5, 3), 20, 250)
    size = 256
    weather = (
        5 * noise(rng, size, 8) + 3 * noise(rng, size, 64) + 4 * rng.standard_normal((size, size), dtype=np.float32)
    )
    tile = np.clip(wall + weather[..., None], 0, 255).astype(np.uint8)
    picture = np.tile(tile, (rows // size + 1, columns // size + 1, 1))[:rows, :columns].copy()
    brick = wall[0] > wall[2] * 1.35
    if brick and scale >= 20:
        picture[:: max(3, int(0.15 * scale))] = (picture[:: max(3, int(0.15 * scale))] * 0.88).astype(np.uint8)
    ground = float(rng.uniform(3.2, 4.2))
    storey = float(rng.uniform(2.8, 3.4))
    if rng.random() < 0.14:
        _curtain_wall(rng, picture, scale, storey, dusk)
    else:
        _windows(rng, picture, scale, ground, storey, wall, dusk)
    if rng.random() < 0.62 and height > 4:
        _shop(rng, picture, scale, ground, dusk)
    else:
        _ground_floor(rng, picture, scale, ground, wall, dusk)
    cornice = (wall * 0.8 + 40).clip(0, 255)
    _fill(picture, scale, 0, 0, width, rng.uniform(0.2, 0.5), cornice)
    _fill(picture, scale, 0, 0.5, width, 0.12, wall * 0.55)
    return picture


def _fill(
    picture: np.ndarray, scale: float, x: float, y: float, width: float, height: float, colour: np.ndarray
) -> None:
    """Fill a rectangle given in metres, at least a pixel thick."""
    x1, y1 = round(x * scale), round(y * scale)
    x2, y2 = max(x1 + 1, round((x + width) * scale)), max(y1 + 1, round((y + height) * scale))
    picture[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = np.clip(colour, 0, 255)


def _glass(
    rng: np.random.Generator,
    picture: np.ndarray,
    scale: float,
    x: float,
    y: float,
    width: float,
    height: float,
    dusk: bool,
) -> None:
    """A pane: a slanting reflection by day, some lit rooms at dusk, curtains now and then."""
    x1, y1, x2, y2 = round(x * scale), round(y * scale), round((x + width) * scale), round((y + height) * scale)
    area = picture[max(0, y1) : y2, max(0, x1) : x2]
    if area.size == 0:
        return
    base = np.array([46.0, 54, 64]) * rng.uniform(0.6, 1.5)
    if dusk and rng.random() < 0.5:
        base = np.array([250.0, 206, 130]) * rng.uniform(0.6, 1.0)
    rows, columns = area.shape[:2]
    slope = np.linspace(1.5, 0.6, rows)[:, None, None] + np.linspace(-0.2, 0.2, columns)[None, :, None] * rng.choice(
        [-1, 1]
    )
    area[:] = np.clip(base * slope, 0, 255)
    if rng.random() < 0.35:
        share = int(columns * rng.uniform(0.2, 0.5))
        area[:, :share] = np.clip(np.array([200, 196, 186]) * rng.uniform(0.5, 0.9), 0, 255)


def _windows(
    rng: np.random.Generator,
    picture: np.ndarray,
    scale: float,
    ground: float,
    storey: float,
    wall: np.ndarray,
    dusk: bool,
) -> None:
    height, width = picture.shape[0] / scale, picture.shape[1] / scale
    wide, tall = rng.uniform(0.9, 1.7), rng.uniform(1.3, 1.9)
    count = max(1, int(width / rng.uniform(wide + 0.9, wide + 2.2)))
    pitch = width / count
    frame = np.array([236, 234, 228]) if rng.random() < 0.6 else wall * 0.4
    balcony, shutters, bars = rng.random() < 0.2, rng.random() < 0.2, rng.random() < 0.7
    shutter = np.array([60, 90, 80]) * rng.uniform(0.6, 1.5)
    for floor in range(max(0, int((height - ground - 0.4) / storey))):
        top = height - ground - (floor + 1) * storey + 0.6
        for column in range(count):
            x = (column + 0.5) * pitch - wide / 2
            _fill(picture, scale, x - 0.10, top - 0.10, wide + 0.2, tall + 0.2, frame)
            _glass(rng, picture, scale, x, top, wide, tall, dusk)
            if bars:
                _fill(picture, scale, x + wide / 2 - 0.03, top, 0.06, tall, frame)
                _fill(picture, scale, x, top + tall * 0.35, wide, 0.05, frame)
            _fill(picture, scale, x - 0.15, top + tall + 0.08, wide + 0.3, 0.12, wall * 1.15)
            _fill(picture, scale, x - 0.1, top - 0.02, wide + 0.2, 0.10, wall * 0.5)
            if shutters:
                _fill(picture, scale, x - 0.10 - wide * 0.4, top - 0.05, wide * 0.4, tall + 0.1, shutter)
                _fill(picture, scale, x + wide + 0.10, top - 0.05, wide * 0.4, tall + 0.1, shutter)
            if balcony:
                for bar in np.arange(x - 0.2, x + wide + 0.2, 0.14):
                    _fill(picture, scale, float(bar), top + tall * 0.5, 0.03, tall * 0.55, np.array([36, 36, 38]))
                _fill(picture, scale, x - 0.25, top + tall * 1.02, wide + 0.5, 0.14, wall * 0.6)


def _curtain_wall(rng: np.random.Generator, picture: np.ndarray, scale: float, storey: float, dusk: bool) -> None:
    height, width = picture.shape[0] / scale, picture.shape[1] / scale
    pitch = rng.uniform(1.2, 2.4)
    for top in np.arange(0.8, height - 3, storey):
        for x in np.arange(0.1, width, pitch):
            _glass(rng, picture, scale, float(x), float(top), pitch - 0.12, storey * 0.66, dusk)


def _shop(rng: np.random.Generator, picture: np.ndarray, scale: float, ground: float, dusk: bool) -> None:
    height, width = picture.shape[0] / scale, picture.shape[1] / scale
    top = height - ground
    count = max(1, round(width / rng.uniform(5, 8)))
    for index in range(count):
        x0, pitch = index * width / count, width / count
        colour = SIGNS[rng.integers(len(SIGNS))] * rng.uniform(0.7, 1.1)
        _fill(picture, scale, x0 + 0.15, top, pitch - 0.3, ground, colour * 0.55 + 20)
        _glass(rng, picture, scale, x0 + 0.35, top + 0.9, pitch * 0.62, ground - 1.4, dusk or rng.random() < 0.3)
        for post in np.linspace(x0 + 0.35, x0 + 0.35 + pitch * 0.62, 4)[1:-1]:
            _fill(picture, scale, float(post), top + 0.9, 0.05, ground - 1.4, colour * 0.4)
        for _ in range(5):
            goods = rng.uniform(40, 220, 3)
            _fill(
                picture,
                scale,
                x0 + 0.5 + rng.uniform(0, pitch * 0.5),
                height - rng.uniform(1.0, 1.8),
                rng.uniform(0.2, 0.6),
                rng.uniform(0.2, 0.6),
                goods,
            )
        _glass(rng, picture, scale, x0 + pitch * 0.74, top + 0.9, pitch * 0.17, ground - 1.0, dusk)
        _fill(picture, scale, x0 + 0.1, top + 0.12, pitch - 0.2, 0.62, colour)
        ink = np.full(3, 240.0) if colour.mean() < 130 else np.full(3, 30.0)
        x = x0 + pitch * rng.uniform(0.1, 0.3)
        while x < x0 + pitch * 0.85:
            letter = rng.uniform(0.08, 0.22)
            _fill(picture, scale, x, top + 0.26, letter, rng.uniform(0.2, 0.34), ink)
            x += letter + rng.uniform(0.05, 0.12) + (0.2 if rng.random() < 0.15 else 0)
        if rng.random() < 0.4:
            stripes = np.arange(x0 + 0.1, x0 + pitch - 0.2, 0.35)
            for position, stripe in enumerate(stripes):
                _fill(
                    picture, scale, float(stripe), top + 0.72, 0.36, 0.6, colour if position % 2 else np.full(3, 226.0)
                )
            _fill(picture, scale, x0 + 0.1, top + 1.32, pitch - 0.2, 0.25, np.full(3, 24.0))


def _ground_floor(
    rng: np.random.Generator, picture: np.ndarray, scale: float, ground: float, wall: np.ndarray, dusk: bool
) -> None:
    height, width = picture.shape[0] / scale, picture.shape[1] / scale
    _fill(picture, scale, 0, height - 0.7, width, 0.7, wall * 0.7)
    _fill(picture, scale, 0, height - ground, width, 0.15, wall * 1.15)
    x = rng.uniform(0.6, 1.6)
    while x < width - 1.6:
        if rng.random() < 0.3:
            colour = SIGNS[rng.integers(len(SIGNS))] * 0.7
            _fill(picture, scale, x - 0.12, height - 2.4, 1.24, 2.4, np.full(3, 220.0))
            _fill(picture, scale, x, height - 2.25, 1.0, 2.25, colour)
            _fill(picture, scale, x + 0.2, height - 2.0, 0.6, 0.7, colour * 0.6)
        else:
            _fill(picture, scale, x - 0.1, height - 2.7, 1.5, 1.75, np.full(3, 224.0))
            _glass(rng, picture, scale, x, height - 2.6, 1.3, 1.55, dusk)
        x += rng.uniform(1.9, 3.0)


def plain_wall(rng: np.random.Generator, facade_picture: np.ndarray) -> np.ndarray:
    """The wall beside a front: its own colour without windows, uint8 [128, 128, 3]."""
    colour = np.median(facade_picture.reshape(-1, 3)[::97], axis=0)
    surface = 2.5 * noise(rng, 128, 8) + 2 * noise(rng, 128, 32) + 4 * rng.standard_normal((128, 128), dtype=np.float32)
    return np.clip(colour * 0.9 + surface[..., None], 0, 255).astype(np.uint8)


def roof_tiles(rng: np.random.Generator) -> np.ndarray:
    """Slates or tiles, uint8 [128, 128, 3]."""
    tone = np.array([[70, 72, 80], [130, 70, 54], [96, 84, 76]], float)[rng.integers(3)]
    surface = 8 * rng.standard_normal((128, 128), dtype=np.float32)
    surface[::8] -= 26
    return cv2.blur(np.clip(surface[..., None] + tone, 0, 255).astype(np.uint8), (2, 2))
