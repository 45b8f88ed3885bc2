"""For all tests: without a GPU, the kernels for GPUs run in Triton's interpreter, on the CPU."""

import os
from pathlib import Path

if not Path("/proc/driver/nvidia").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when torch imports Triton
