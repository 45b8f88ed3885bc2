"""Pictures of more than 8 bits as 8-bit ones."""

from __future__ import annotations

import numpy as np

DEPTHS = (8, 10, 12, 14, 16)


def eight_bits(image: np.ndarray) -> np.ndarray:
    """A picture of 8 or 16 bits as uint8.

    Cameras of 10, 12 or 14 bits leave the upper bits of a 16-bit file empty, which would come out black. So the depth
    is taken to be the smallest of 8, 10, 12, 14 and 16 bits that holds the picture's largest value, and the upper 8
    bits of that depth are kept.

    Raises:
        ValueError: The pixels are neither.
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype != np.uint16:
        raise ValueError(f"its pixels are {image.dtype}; save it with 8 or 16 bits per channel")
    bits = int(image.max()).bit_length()
    depth = next(depth for depth in DEPTHS if depth >= bits)
    return (image >> (depth - 8)).astype(np.uint8)
