"""Surfaces made from noise: asphalt, paving, grass, and cut-outs of trees."""

from __future__ import annotations

import cv2
import numpy as np


def noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth noise float32 [size, size], mean 0, about -1 to 1; it repeats without a seam."""
    small = rng.standard_normal((cells, cells), dtype=np.float32)
    padded = np.pad(small, 2, mode="wrap")
    edge = size * 2 // cells
    large = cv2.resize(padded, (size + 2 * edge, size + 2 * edge), interpolation=cv2.INTER_CUBIC)
    return large[edge : edge + size, edge : edge + size]


def asphalt(rng: np.random.Generator, size: int = 512) -> np.ndarray:
    """A road's surface with patches, stains and cracks, uint8 [size, size, 3]."""
    tone = rng.uniform(80, 145) + rng.normal(0, 3, 3)
    grain = 7 * rng.standard_normal((size, size), dtype=np.float32)
    large = 3.5 * noise(rng, size, 8) + 2 * noise(rng, size, 32) + 2 * noise(rng, size, size // 4)
    surface = np.clip(grain + large, -40, 40)
    for _ in range(rng.integers(0, 4)):
        x, y, w, h = rng.integers(0, size, 4)
        surface[y : y + h // 3, x : x + w // 3] += rng.uniform(-16, 10)
    cracks = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(0, 5)):
        walk = np.cumsum(rng.normal(0, 9, (40, 2)), 0) + rng.uniform(0, size, 2)
        cv2.polylines(cracks, [walk.astype(np.int32)], False, 255, 1, cv2.LINE_AA)
    surface -= cracks * 0.12
    return np.clip(surface[..., None] + tone, 0, 255).astype(np.uint8)


def paving(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """Slabs, setts or plain tar for a pavement, uint8 [size, size, 3]."""
    tone = rng.uniform(105, 175) + rng.normal(0, 6, 3) + np.array([4, 0, -6])
    surface = 5 * rng.standard_normal((size, size), dtype=np.float32) + 5 * noise(rng, size, 16)
    cell = int(rng.choice([16, 32, 64, 256]))
    tint = rng.normal(0, 7, (size // cell, size // cell)).astype(np.float32)
    surface += cv2.resize(tint, (size, size), interpolation=cv2.INTER_NEAREST)
    if cell < 256:
        surface[::cell] -= 26
        surface[:, ::cell] -= 26
    return np.clip(surface[..., None] + tone, 0, 255).astype(np.uint8)


def grass(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """A verge, uint8 [size, size, 3]."""
    surface = (
        14 * rng.standard_normal((size, size), dtype=np.float32) + 9 * noise(rng, size, 16) + 9 * noise(rng, size, 64)
    )
    tone = np.array([92, 112, 58]) * rng.uniform(0.7, 1.15) + rng.normal(0, 6, 3)
    return np.clip(surface[..., None] * [1.0, 1.0, 0.7] + tone, 0, 255).astype(np.uint8)


def tree(rng: np.random.Generator, sun_left: float, size: int = 256) -> np.ndarray:
    """A tree's cut-out, uint8 [size, size * 3 / 4, 4], opacity last; ``sun_left`` from -1 to 1 lights one side."""
    width = size * 3 // 4
    picture = np.zeros((size, width, 4), np.uint8)
    trunk = np.array([86, 70, 56]) * rng.uniform(0.6, 1.1)
    half = size * rng.uniform(0.014, 0.028)
    middle, fork = width / 2, size * rng.uniform(0.5, 0.65)
    stem = np.array(
        [[middle - half * 1.3, size], [middle + half * 1.3, size], [middle + half, fork], [middle - half, fork]]
    )
    cv2.fillPoly(picture, [stem.astype(np.int32)], (*trunk.tolist(), 255), cv2.LINE_AA)
    for angle in rng.uniform(-1.0, 1.0, 6):
        tip = (int(middle + np.sin(angle) * size * 0.25), int(fork - np.cos(angle) * size * 0.3))
        cv2.line(picture, (int(middle), int(fork)), tip, (*(trunk * 0.9).tolist(), 255), max(1, int(half)), cv2.LINE_AA)
    bare = rng.random() < 0.12
    leaf = np.array([74, 98, 44]) * rng.uniform(0.6, 1.2) + rng.normal(0, 10, 3)
    count = 70 if bare else 2 * size + 100
    crown_y, crown_h, crown_w = fork * 0.58, fork * 0.56, width * rng.uniform(0.34, 0.48)
    spread = rng.standard_normal((count, 3))
    spread /= np.linalg.norm(spread, axis=1, keepdims=True)
    spread *= rng.random((count, 1)) ** 0.4 * (1 + 0.16 * np.sin(spread[:, :1] * 5 + spread[:, 1:2] * 4))
    spread = spread[np.argsort(spread[:, 2])]
    bright = (
        0.55 + 0.22 * spread[:, 2] - 0.28 * spread[:, 1] - 0.2 * sun_left * spread[:, 0] + rng.normal(0, 0.09, count)
    )
    radii = rng.uniform(0.007, 0.032, count) * size
    for (x, y, _), light, radius in zip(spread, np.clip(bright, 0.15, 1.35), radii, strict=True):
        spot = (int(middle + x * crown_w), int(crown_y + y * crown_h))
        colour = np.clip(leaf * (0.35 + light), 0, 255)
        cv2.circle(picture, spot, int(radius) + 1, (*colour.tolist(), 255), -1, cv2.LINE_8)
    leaves = rng.standard_normal((size // 2, width // 2), dtype=np.float32)
    leaves = np.asarray(cv2.resize(leaves, (width, size), interpolation=cv2.INTER_LINEAR), np.float32)
    picture[..., :3] = np.clip(
        picture[..., :3] + (leaves * (np.arange(size) < fork)[:, None])[..., None] * [17, 19, 10], 0, 255
    )
    crown = (cv2.GaussianBlur(picture[..., 3], (0, 0), size / 60) < 150) & (leaves < 0.15)
    crown[int(fork) :] = False
    picture[crown, 3] = 0
    return picture
