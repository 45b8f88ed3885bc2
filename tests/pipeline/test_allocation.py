"""Freed memory is kept but for gaps, in a process of its own since that cannot be undone."""

import subprocess
import sys

import pytest

FAULTS = """
import contextlib, resource, sys
import numpy as np
from streamseg.pipeline.allocation import tidy_memory
if sys.argv[1] == "kept":
    tidy = contextlib.ExitStack()
    tidy.enter_context(tidy_memory())
def work():
    for _ in range(20):
        frames = [np.ones(4 << 20, np.uint8) for _ in range(8)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_the_system_is_asked_for_memory_once_only():
    def faults(how):
        return int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)

    assert faults("kept") < 100 < faults("usual")


GAPS = """
import time
from streamseg.pipeline import allocation
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
allocation._EVERY = 0.05
with allocation.tidy_memory():
    kept = [bytearray(1 << 20) for _ in range(200)]
    before = resident()
    del kept[:-1]  # the last lies above the others, which can only be gaps
    time.sleep(1)
    print((before - resident()) // 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_gaps_are_given_back():
    given = subprocess.run([sys.executable, "-c", GAPS], capture_output=True, check=True).stdout
    assert int(given) > 150
