"""For all tests. Without a GPU, the kernels for GPUs run in Triton's interpreter, on the CPU."""

import os
from pathlib import Path

import pytest

if not Path("/proc/driver/nvidia").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when torch imports Triton


@pytest.fixture
def one_thread():
    """Networks this small lose more to their threads than they gain, above all where others are busy too."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
