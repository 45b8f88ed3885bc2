"""Kernels are tried before they are relied on."""

import importlib.util

import pytest
import torch

from streamseg.models.gpu import kernels

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of an interpreted division


@pytest.fixture(autouse=True)
def untried():
    kernels.kernel_trouble.cache_clear()
    yield
    kernels.kernel_trouble.cache_clear()


def test_they_run_here(kernel_device):
    assert kernels.kernel_trouble(torch.device(kernel_device)) is None


@pytest.mark.parametrize(
    ("failing", "reason"),
    [
        (RuntimeError("Failed to find C compiler.\nPlease specify via CC environment variable."), "Failed to find C"),
        (FileNotFoundError(2, "No such file", "ptxas"), "No such file"),
        (AssertionError(), "AssertionError()"),
    ],
    ids=repr,
)
def test_what_cannot_be_compiled_is_told(kernel_device, monkeypatch, failing, reason):
    def fail(*_):
        raise failing

    monkeypatch.setattr("streamseg.models.gpu.suppression_triton.suppress", fail)
    trouble = kernels.kernel_trouble(torch.device(kernel_device))
    assert reason in trouble
    assert "\n" not in trouble


def test_wrong_results_are_noticed(kernel_device, monkeypatch):
    monkeypatch.setattr("streamseg.models.gpu.suppression_triton.suppress", lambda *given: given[2])
    assert "wrong" in kernels.kernel_trouble(torch.device(kernel_device))


def test_without_triton(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert kernels.kernel_trouble(torch.device("cpu")) == "Triton is not installed"
