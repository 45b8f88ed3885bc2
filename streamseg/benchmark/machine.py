"""What a benchmark ran on, and how much memory it took."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av
import torch

from streamseg.cores import cores


def machine(device: torch.device) -> dict[str, Any]:
    """The machine and the versions of what does the work; ``gpu`` is None unless ``device`` is one."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "cpu": _processor(),
        "cores": cores(),
        "memory_gb": _memory(),
        "gpu": gpu,
        "gpu_memory_gb": torch.cuda.get_device_properties(device).total_memory / 1e9 if gpu else None,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": _version("torchvision"),
        "opencv": cv2.__version__,
        "av": av.__version__,
        "supervision": _version("supervision"),
    }


def peak_resident() -> float | None:
    """The most memory that this process has ever had, GB; None where the system does not tell."""
    if found := re.search(r"^VmHWM:\s+(\d+) kB", _text("/proc/self/status"), re.MULTILINE):
        return int(found[1]) * 1024 / 1e9
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    # On Linux this would hold the maximum of the process that started this one, too.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def device_peak(device: torch.device) -> float | None:
    """The most memory that tensors have ever had on the device, GB; None on a CPU."""
    return torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None


def _version(package: str) -> str | None:
    """Which version is installed, without importing it; None where it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # no such thing on Windows
        return None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
