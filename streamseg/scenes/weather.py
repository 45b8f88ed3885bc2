"""Light and sky of a scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from streamseg.scenes.mesh import GLASS, GLOW, PAINT


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """What shines on a scene; colours are factors, 1 = a white wall at full exposure.

    Attributes:
        sun: float [3], unit vector towards the sun.
        direct: float [3], colour of sunlight.
        ambient: float [3], colour of skylight.
        zenith: float [3], colour of the sky overhead, RGB 0 to 255.
        horizon: float [3], colour of the sky low down, RGB 0 to 255.
        clouds: How much of the sky is covered, 0 to 1.
        haze: Metres after which a thing has half the horizon's colour.
        dusk: Whether lamps and windows are lit.
    """

    sun: np.ndarray
    direct: np.ndarray
    ambient: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    clouds: float
    haze: float
    dusk: bool

    def dimmed(self, sunshine: float) -> Light:
        """The same light with only a part of the sun coming through, 0 to 1."""
        return replace(self, direct=self.direct * sunshine)

    def veil(self, colours: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Colours [N, 3] seen through ``depth`` [N] metres of air."""
        clear = np.exp2(-np.asarray(depth) / self.haze)[..., None]
        return colours * clear + self.horizon * 0.92 * (1 - clear)

    def flat(self, normal: np.ndarray, sunny: float = 1.0) -> np.ndarray:
        """Factor [3] on the colour of a matt surface with this unit normal."""
        return self.ambient * (0.72 + 0.28 * normal[2]) + self.direct * max(0.0, float(normal @ self.sun)) * sunny

    def shade(
        self, colours: np.ndarray, normals: np.ndarray, views: np.ndarray, materials: np.ndarray, sunny: float = 1.0
    ) -> np.ndarray:
        """Colours [F, 3] of lit faces, given unit normals, unit directions to the eye and materials."""
        facing = np.maximum(normals @ self.sun, 0)[:, None] * sunny
        lit = colours * (self.ambient * (0.66 + 0.34 * normals[:, 2:3]) + self.direct * facing)
        shiny = (materials == PAINT) | (materials == GLASS)
        if shiny.any():
            lit[shiny] = self._reflect(lit[shiny], normals[shiny], views[shiny], materials[shiny], sunny)
        glow = materials == GLOW
        lit[glow] = colours[glow]
        return lit

    def _reflect(
        self, lit: np.ndarray, normals: np.ndarray, views: np.ndarray, materials: np.ndarray, sunny: float
    ) -> np.ndarray:
        cosine = np.clip((normals * views).sum(1), 0, 1)[:, None]
        mirror = 2 * cosine * normals - views
        up = mirror[:, 2:3]
        sky = self.horizon + (self.zenith - self.horizon) * np.clip(up, 0, 1)
        ground = np.array([62.0, 60, 58]) * self.ambient
        # A street mirrors houses up to some height before the sky begins, which is what gives a car its dark flank.
        seen = ground + (sky - ground) * np.clip((up - 0.02) / 0.45, 0, 1)
        glass = (materials == GLASS)[:, None]
        fresnel = np.where(glass, 0.12, 0.05) + np.where(glass, 0.75, 0.55) * (1 - cosine) ** 3
        glint = np.maximum((mirror * self.sun).sum(1), 0)[:, None] ** 24 * 170 * self.direct * sunny
        return lit * (1 - fresnel) + seen * fresnel + glint


def random_light(rng: np.random.Generator, kind: str | None = None) -> Light:
    """A light of one kind: ``"sunny"``, ``"overcast"``, ``"dusk"`` or ``"low"``; drawn by chance where None."""
    kind = kind or str(rng.choice(["sunny", "overcast", "dusk", "low"], p=[0.42, 0.33, 0.12, 0.13]))
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 1.1)
    direct, ambient, haze = np.array([0.80, 0.76, 0.68]), np.array([0.42, 0.45, 0.50]), rng.uniform(150, 500)
    zenith, horizon, clouds = np.array([84.0, 132, 196]), np.array([196.0, 214, 230]), rng.uniform(0.1, 0.6)
    if kind == "overcast":
        direct, ambient = np.array([0.08, 0.08, 0.08]), np.array([0.74, 0.76, 0.80]) * rng.uniform(0.75, 1.05)
        zenith, horizon = np.array([168.0, 176, 186]), np.array([206.0, 210, 214])
        clouds, haze = 0.95, rng.uniform(70, 300)
    elif kind == "dusk":
        direct, ambient = np.array([0.10, 0.06, 0.05]), np.array([0.36, 0.35, 0.42])
        zenith, horizon, elevation = np.array([38.0, 52, 92]), np.array([190.0, 140, 110]), 0.15
    elif kind == "low":
        direct, ambient, elevation = np.array([0.92, 0.66, 0.42]), np.array([0.36, 0.36, 0.42]), rng.uniform(0.18, 0.4)
        zenith, horizon = np.array([104.0, 140, 190]), np.array([244.0, 214, 176])
    zenith = np.clip(zenith * rng.uniform(0.85, 1.15, 3), 0, 255)
    sun = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    return Light(sun, direct, ambient, zenith, horizon, clouds, haze, kind == "dusk")


def cloud_map(rng: np.random.Generator) -> np.ndarray:
    """Cloud density over azimuth and height, float32 [128, 512], 0 to 1; it wraps around at the left and right."""
    total = np.zeros((128, 512), np.float32)
    for size, weight in ((4, 0.5), (8, 0.28), (16, 0.14), (32, 0.08)):
        noise = rng.random((size, size * 2), dtype=np.float32)
        noise = np.concatenate([noise, noise[:, :1]], axis=1)
        total += weight * cv2.resize(noise, (512, 128), interpolation=cv2.INTER_CUBIC)
    return np.clip((total - total.min()) / max(float(np.ptp(total)), 1e-6), 0, 1)


def paint_sky(image: np.ndarray, focal: float, rotation: np.ndarray, light: Light, clouds: np.ndarray) -> None:
    """Fill the first three channels of ``image`` (uint8 [H, W, C]) with the sky, in place."""
    height, width = image.shape[:2]
    rows, columns = max(2, height // 8), max(2, width // 8)
    x = (np.linspace(0, width, columns) - width / 2) / focal
    y = (np.linspace(0, height, rows) - height / 2) / focal
    rays = np.stack([*np.meshgrid(x, y), np.ones((rows, columns))], axis=-1) @ rotation
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    up = np.clip(rays[..., 2], 0, 1)
    colour = light.horizon + (light.zenith - light.horizon) * (up[..., None] ** 0.6)
    around = (np.arctan2(rays[..., 0], rays[..., 1]) / (2 * np.pi) + 0.5) * 511
    density = cv2.remap(clouds, around.astype(np.float32), (up**0.7 * 126).astype(np.float32), cv2.INTER_LINEAR)
    cover = np.clip((density - (1 - light.clouds)) * 3.0, 0, 1)[..., None] * 0.85
    white = np.clip(light.horizon * 1.08 + 12, 0, 255) * (0.86 + 0.14 * density[..., None])
    colour = colour * (1 - cover) + white * cover
    glare = np.clip((rays * light.sun).sum(-1), 0, 1)[..., None] ** 60 * 120 * light.direct
    small = np.clip(colour + glare, 0, 255).astype(np.uint8)
    image[..., :3] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
