"""How the C library deals with memory that is used, freed and used again for every frame."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections.abc import Iterator
from typing import Any

# Of glibc's malloc.h. Sizes up to the first, glibc's own maximum, come from what was freed before, and of that up to
# the second is kept. Threads share a few stocks: in one for each, the frames that pass through all would be kept often.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_MAPPED, _KEPT, _STOCKS = 32 << 20, 128 << 20, 2

_EVERY = 4.0  # seconds


@contextlib.contextmanager
def tidy_memory() -> Iterator[None]:
    """Have the process keep what it frees between frames, and give back every few seconds what lies in gaps.

    By default glibc hands the memory of one frame back to the system, which clears it for the next: a twentieth of the
    time of a small network's pipeline on two cores. What it keeps falls into pieces, so that a process grows by some
    100 MB in its first ten thousand frames. For programs that process video and little else; the way of keeping stays.
    Without glibc nothing happens.
    """
    glibc = _glibc()
    if glibc is None:
        yield
        return
    for wish in ((_M_MMAP_THRESHOLD, _MAPPED), (_M_TRIM_THRESHOLD, _KEPT), (_M_ARENA_MAX, _STOCKS)):
        glibc.mallopt(*wish)
    over = threading.Event()

    def give_back() -> None:
        while not over.wait(_EVERY):
            glibc.malloc_trim(0)

    thread = threading.Thread(target=give_back, name="memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _glibc() -> Any | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        library.malloc_trim.argtypes = [ctypes.c_size_t]
        library.mallopt.argtypes = [ctypes.c_int, ctypes.c_int]
    except (AttributeError, OSError):  # musl has neither
        return None
    return library
