"""Bytes that stand for real numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

Ranges = Mapping[str, tuple[float, float]]
"""Least and greatest value seen at each point of a network, by the point's name."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How bytes stand for real numbers: ``real = size * (byte - zero)``."""

    size: float
    zero: int

    @classmethod
    def over(cls, low: float, high: float) -> Scale:
        """The scale whose bytes span ``low`` to ``high``; both are widened to hold 0, which is then exact."""
        low, high = min(low, 0.0), max(high, 0.0)
        size = max((high - low) / 255, 1e-8)
        return cls(size, round(-low / size))

    def to_bytes(self, values: torch.Tensor) -> torch.Tensor:
        """Real numbers as uint8, those beyond the range at its ends."""
        return (values * (1 / self.size) + self.zero).round_().clamp_(0, 255).to(torch.uint8)

    def to_real(self, values: torch.Tensor) -> torch.Tensor:
        """Bytes as float32."""
        return (values.float() - self.zero) * self.size
