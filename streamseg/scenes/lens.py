"""What lens and sensor do to a clean picture: exposure, colour cast, blur, vignette, noise, compression."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """A camera's faults.

    Attributes:
        gain: float [3], exposure and white balance per channel.
        contrast: 1 leaves it.
        blur: Standard deviation of defocus, pixels.
        streak: Length of motion blur, pixels, and its angle, radians.
        vignette: Darkening in the corners, 0 to 1.
        noise: Standard deviation of sensor noise, grey levels.
        jpeg: Quality of an additional compression, or 0 for none.
    """

    gain: np.ndarray
    contrast: float = 1.0
    blur: float = 0.0
    streak: tuple[float, float] = (0.0, 0.0)
    vignette: float = 0.15
    noise: float = 2.0
    jpeg: int = 0


def random_lens(rng: np.random.Generator) -> Lens:
    """A camera by chance, from clean to poor."""
    poor = rng.random() < 0.3
    return Lens(
        gain=rng.uniform(0.82, 1.18) * (1 + rng.normal(0, 0.035, 3)),
        contrast=float(rng.uniform(0.8, 1.2)),
        blur=float(rng.choice([0.0, 0.0, 0.4, 0.7, 1.1])) if not poor else float(rng.uniform(0.5, 1.4)),
        streak=(float(rng.uniform(2, 5)), float(rng.uniform(0, np.pi))) if rng.random() < 0.12 else (0.0, 0.0),
        vignette=float(rng.uniform(0, 0.35)),
        noise=float(rng.uniform(0.5, 4.5) * (2.0 if poor else 1.0)),
        jpeg=int(rng.integers(35, 80)) if poor else 0,
    )


def expose(image: np.ndarray, lens: Lens, rng: np.random.Generator) -> np.ndarray:
    """The picture uint8 [H, W, 3] as this lens and sensor would have taken it."""
    height, width = image.shape[:2]
    if lens.blur > 0.2:
        image = cv2.GaussianBlur(image, (0, 0), lens.blur)
    if lens.streak[0] >= 1.5:
        image = cv2.filter2D(image, -1, _streak(*lens.streak))
    result = image.astype(np.float32)
    result = (result - 118) * lens.contrast + 118
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    dark = 1 - lens.vignette * 0.5 * (x[None] ** 2 + y[:, None] ** 2)
    result *= (lens.gain.astype(np.float32) * dark[..., None]).astype(np.float32)
    if lens.noise > 0:
        result += _grain(rng, height, width) * lens.noise
    out = np.clip(result, 0, 255).astype(np.uint8)
    if lens.jpeg:
        _, data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, lens.jpeg])
        out = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(out)


def metered(lens: Lens, image: np.ndarray, target: float, strength: float = 0.8) -> Lens:
    """The same lens with the exposure a camera's meter would choose to bring the mean grey near ``target``."""
    mean = max(float(image[::4, ::4].mean()), 8.0)
    return replace(lens, gain=lens.gain * np.clip((target / mean) ** strength, 0.6, 3.6))


def _grain(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Noise of unit strength, mostly the same in all channels, float32 [H, W, 3]."""
    grey = rng.standard_normal((height, width, 1), dtype=np.float32)
    colour = rng.standard_normal((height // 2 + 1, width // 2 + 1, 3), dtype=np.float32)
    return grey * 0.8 + cv2.resize(colour, (width, height), interpolation=cv2.INTER_LINEAR) * 0.6


def _streak(length: float, angle: float) -> np.ndarray:
    size = int(length) * 2 + 1
    kernel = np.zeros((size, size), np.float32)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    start, end = (size // 2 - reach) * 16, (size // 2 + reach) * 16
    cv2.line(kernel, start.astype(int).tolist(), end.astype(int).tolist(), 1.0, 1, cv2.LINE_AA, 4)
    return kernel / kernel.sum()
