"""Where boxes are going: constant-velocity Kalman filters over time in seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Noise:
    """How far boxes stray from constant velocity, in sizes of the object (the root of its area).

    Attributes:
        place: Standard deviation of a detected centre, sizes.
        extent: Standard deviation of the logarithm of a detected width or height.
        speed: Standard deviation of a centre's first velocity, sizes per second.
        growth: The same of the logarithm of width and height, per second.
        swerve: Root of the spectral density of a centre's acceleration, sizes per second^1.5.
        surge: The same of the logarithm of width and height, per second^1.5.
        coast: Time constant with which velocities fade, seconds: nothing drives straight on for ever.
    """

    place: float = 0.06
    extent: float = 0.05
    speed: float = 2.0
    growth: float = 0.5
    swerve: float = 1.5
    surge: float = 0.4
    coast: float = 5.0


class Motion:
    """The filters of N tracks; row i belongs to track i.

    Each of the centre's x and y (pixels) and the logarithms of width and height has its own two-state filter of value
    and velocity: with independent measurements the joint filter falls apart into these four. Logarithms, because an
    object that the camera approaches grows by a factor per second, and because they cannot turn negative. Process
    noise is white acceleration (Bar-Shalom, Li, Kirubarajan 2001, section 6.2.2), so that any frame rate will do.
    """

    def __init__(self, noise: Noise | None = None) -> None:
        self._noise = noise or Noise()
        self._mean = np.zeros((0, 4, 2))  # value, velocity
        self._cov = np.zeros((0, 4, 3))  # variance of the value, covariance, variance of the velocity

    def __len__(self) -> int:
        return len(self._mean)

    @property
    def boxes(self) -> np.ndarray:
        """Where the objects are expected now: float64 [N, 4], xyxy, pixels."""
        centre, half = self._mean[:, :2, 0], np.exp(self._mean[:, 2:, 0]) / 2
        return np.concatenate([centre - half, centre + half], axis=1)

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation of the expected centre, in sizes of the object: float64 [N]."""
        return np.sqrt(self._cov[:, :2, 0].mean(axis=1)) / self._sizes()

    def _sizes(self) -> np.ndarray:
        return np.exp(self._mean[:, 2:, 0].mean(axis=1))

    def _scaled(self, centre: float, extent: float) -> np.ndarray:
        """Squares of two standard deviations, the first in sizes, for each filter: float64 [N, 4]."""
        sizes = self._sizes()[:, None]
        centres, extents = np.repeat((centre * sizes) ** 2, 2, axis=1), np.full((len(sizes), 2), extent**2)
        return np.concatenate([centres, extents], axis=1)

    def predict(self, seconds: float) -> None:
        """Move everything on by ``seconds`` (0 or more)."""
        if seconds <= 0 or not len(self):
            return
        drive = self._scaled(self._noise.swerve, self._noise.surge)
        left = np.exp(-seconds / self._noise.coast)
        reach = self._noise.coast * (1 - left)  # seconds that a fading velocity is worth
        variance, covariance, velocity = np.moveaxis(self._cov, 2, 0)
        self._cov = np.stack(
            [
                variance + 2 * reach * covariance + reach**2 * velocity + drive * seconds**3 / 3,
                left * (covariance + reach * velocity) + drive * seconds**2 / 2,
                left**2 * velocity + drive * seconds,
            ],
            axis=2,
        )
        self._mean[:, :, 0] += reach * self._mean[:, :, 1]
        self._mean[:, :, 1] *= left

    def correct(self, rows: np.ndarray, boxes: np.ndarray, doubt: np.ndarray) -> None:
        """Take in what was detected.

        Args:
            rows: int [K], which tracks.
            boxes: float [K, 4], xyxy, pixels.
            doubt: float [K], factor on the standard deviation of each measurement.
        """
        if not len(rows):
            return
        measured = self._scaled(self._noise.place, self._noise.extent)[rows] * doubt[:, None] ** 2
        variance, covariance, velocity = np.moveaxis(self._cov[rows], 2, 0)
        surprise = _coordinates(boxes) - self._mean[rows, :, 0]
        gain, gain_velocity = variance / (variance + measured), covariance / (variance + measured)
        self._mean[rows] += np.stack([gain * surprise, gain_velocity * surprise], axis=2)
        self._cov[rows] = np.stack(
            [(1 - gain) * variance, (1 - gain) * covariance, velocity - gain_velocity * covariance], axis=2
        )

    def add(self, boxes: np.ndarray) -> None:
        """Start filters for new tracks, at rest at ``boxes`` (float [K, 4], xyxy, pixels)."""
        mean = np.zeros((len(boxes), 4, 2))
        mean[:, :, 0] = _coordinates(boxes)
        old = len(self)
        self._mean = np.concatenate([self._mean, mean])
        self._cov = np.concatenate([self._cov, np.zeros((len(boxes), 4, 3))])
        self._cov[old:, :, 0] = self._scaled(self._noise.place, self._noise.extent)[old:]
        self._cov[old:, :, 2] = self._scaled(self._noise.speed, self._noise.growth)[old:]

    def keep(self, rows: np.ndarray) -> None:
        """Forget all tracks but ``rows`` (bool [N] or positions)."""
        self._mean, self._cov = self._mean[rows], self._cov[rows]


def _coordinates(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, np.float64)
    extent = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)  # a box without area has no logarithm
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, np.log(extent)], axis=1)
