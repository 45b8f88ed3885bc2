"""Where boxes are going: constant-velocity Kalman filters over time in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamseg.tracking.stateful import Stateful


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

    place: float = 0.08
    extent: float = 0.05
    speed: float = 2.0
    growth: float = 0.5
    swerve: float = 1.5
    surge: float = 0.8
    coast: float = 5.0


@dataclass(slots=True, eq=False)
class Motion(Stateful):
    """The filters of N tracks; row i belongs to track i.

    Each of the centre's x and y (pixels) and the logarithms of width and height has its own two-state filter of value
    and velocity: with independent measurements the joint filter falls apart into these four. Logarithms, because an
    object that the camera approaches grows by a factor per second, and because they cannot turn negative. Process
    noise is white acceleration (Bar-Shalom, Li, Kirubarajan 2001, section 6.2.2), so that any frame rate will do.

    Attributes:
        noise: How far boxes stray from that.
    """

    noise: Noise = field(default_factory=Noise)
    # Values and velocities.
    _mean: np.ndarray = field(init=False, default_factory=lambda: np.zeros((2, 0, 4)))
    # Variances of the values, covariances, variances of the velocities.
    _cov: np.ndarray = field(init=False, default_factory=lambda: np.zeros((3, 0, 4)))

    def __len__(self) -> int:
        return self._mean.shape[1]

    def check(self) -> None:
        """Raise ValueError where not every filter has both."""
        if self._cov.shape[1] != len(self):
            raise ValueError("expected places without their covariances")

    @property
    def boxes(self) -> np.ndarray:
        """Where the objects are expected now: float64 [N, 4], xyxy, pixels."""
        return boxes_of(self._mean[0])

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation of the expected centre, in sizes of the object: float64 [N]."""
        across, down = self._cov[0, :, :2].T
        return np.sqrt((across + down) / 2) / sizes_of(self._mean[0])

    def _scaled(self, values: np.ndarray, centre: float, extent: float) -> np.ndarray:
        """Squares of two standard deviations, the first in sizes of ``values`` [N, 4], for each filter: [N, 4]."""
        squares = np.full(values.shape, extent**2)
        squares[:, :2] = ((centre * sizes_of(values)) ** 2)[:, None]
        return squares

    def predict(self, seconds: float) -> None:
        """Move everything on by ``seconds`` (0 or more)."""
        if seconds <= 0 or not len(self):
            return
        drive = self._scaled(self._mean[0], self.noise.swerve, self.noise.surge)
        left, reach = self._fading(seconds)
        variance, covariance, velocity = self._cov
        self._cov = np.stack(
            [
                variance + 2 * reach * covariance + reach**2 * velocity + drive * seconds**3 / 3,
                left * (covariance + reach * velocity) + drive * seconds**2 / 2,
                left**2 * velocity + drive * seconds,
            ]
        )
        self._mean[0] += reach * self._mean[1]
        self._mean[1] *= left

    def move(self, transform: np.ndarray) -> None:
        """Take everything to where the camera's motion has put it.

        Args:
            transform: float64 [2, 3], from places before to places now, pixels; a similarity, or nearly one.
        """
        linear = transform[:, :2]
        self._mean[0] = moved(self._mean[0], transform)
        self._mean[1, :, :2] = self._mean[1, :, :2] @ linear.T
        self._cov[:, :, :2] *= abs(np.linalg.det(linear))

    def carried(self, rows: np.ndarray, boxes: np.ndarray, seconds: float) -> np.ndarray:
        """Where things that are at ``boxes`` now and move like tracks will be; changes nothing.

        Args:
            rows: int [K], which tracks.
            boxes: float [K, 4], xyxy, pixels.
            seconds: From now, 0 or more.

        Returns:
            float64 [K, 4], xyxy, pixels.
        """
        return boxes_of(coordinates_of(boxes) + self._fading(seconds)[1] * self._mean[1, rows])

    def _fading(self, seconds: float) -> tuple[float, float]:
        """What is left of a velocity after ``seconds``, and how many seconds it has been worth until then."""
        left = float(np.exp(-seconds / self.noise.coast))
        return left, self.noise.coast * (1 - left)

    def correct(self, rows: np.ndarray, boxes: np.ndarray, doubt: np.ndarray) -> None:
        """Take in what was detected.

        Args:
            rows: int [K], which tracks.
            boxes: float [K, 4], xyxy, pixels.
            doubt: float [K], factor on the standard deviation of each measurement.
        """
        if not len(rows):
            return
        values = self._mean[0, rows]
        measured = self._scaled(values, self.noise.place, self.noise.extent) * doubt[:, None] ** 2
        variance, covariance, velocity = self._cov[:, rows]
        surprise = coordinates_of(boxes) - values
        gain, gain_velocity = np.stack([variance, covariance]) / (variance + measured)
        self._mean[:, rows] += np.stack([gain * surprise, gain_velocity * surprise])
        self._cov[:, rows] = [(1 - gain) * variance, (1 - gain) * covariance, velocity - gain_velocity * covariance]

    def add(self, boxes: np.ndarray) -> None:
        """Start filters for new tracks, at rest at ``boxes`` (float [K, 4], xyxy, pixels)."""
        values = coordinates_of(boxes)
        nothing, noise = np.zeros_like(values), self.noise
        place, speed = self._scaled(values, noise.place, noise.extent), self._scaled(values, noise.speed, noise.growth)
        self._mean = np.concatenate([self._mean, np.stack([values, nothing])], axis=1)
        self._cov = np.concatenate([self._cov, np.stack([place, nothing, speed])], axis=1)

    def keep(self, rows: np.ndarray) -> None:
        """Forget all tracks but ``rows`` (bool [N] or positions)."""
        self._mean, self._cov = self._mean[:, rows], self._cov[:, rows]


def moved(values: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """What ``coordinates_of`` gave, [N, 4], after a similarity: float64 [2, 3], from places before to places now."""
    linear, shift = transform[:, :2], transform[:, 2]
    centres = values[:, :2] @ linear.T + shift
    return np.concatenate([centres, values[:, 2:] + 0.5 * np.log(abs(np.linalg.det(linear)))], axis=1)


def sizes_of(values: np.ndarray) -> np.ndarray:
    """The root of the area, pixels, of what ``coordinates_of`` gave, [N, 4]: float64 [N]."""
    return np.exp((values[:, 2] + values[:, 3]) / 2)


def coordinates_of(boxes: np.ndarray) -> np.ndarray:
    """Centres and logarithms of widths and heights, float64 [N, 4], of boxes (float [N, 4], xyxy)."""
    boxes = np.asarray(boxes, np.float64)
    extent = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)  # a box without area has no logarithm
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, np.log(extent)], axis=1)


def boxes_of(values: np.ndarray) -> np.ndarray:
    """What ``coordinates_of`` gave, as boxes again."""
    centre, half = values[:, :2], np.exp(values[:, 2:]) / 2
    return np.concatenate([centre - half, centre + half], axis=1)
