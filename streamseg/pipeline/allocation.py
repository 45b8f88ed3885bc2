"""How the C library deals with memory that is used, freed and used again for every frame."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h. Sizes up to the first, glibc's own maximum, come from what was freed before, and of that up to
# the second is kept.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MAPPED, _KEPT = 32 << 20, 128 << 20


def keep_freed_memory() -> bool:
    """Have the process keep what it frees between frames; False where the C library is not glibc.

    By default glibc hands the memory of one frame back to the system, which clears it for the next: a twentieth of the
    time of a small network's pipeline on two cores. For programs that process video and little else.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        tune = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(tune(_M_MMAP_THRESHOLD, _MAPPED) and tune(_M_TRIM_THRESHOLD, _KEPT))
