"""What the tests of the kernels share."""

import pytest
import torch


@pytest.fixture(scope="session")
def kernel_device() -> str:
    """Where kernels can run here: on a GPU, or else interpreted on the CPU."""
    pytest.importorskip("triton", reason="Triton comes with torch on Linux only")
    return "cuda" if torch.cuda.is_available() else "cpu"
