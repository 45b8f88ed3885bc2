"""torchvision comes without torch's compiler, which is there all the same for those who want it."""

import subprocess
import sys

import pytest

PLAIN = """
import sys, torch
import streamseg
with streamseg.open({clip!r}, model="street", max_frames=2) as stream:
    assert len(list(stream)) == 2
assert "torchvision" in sys.modules and "torch._dynamo" not in sys.modules, "the compiler was imported"
"""
AFTERWARDS = """
import sys
from streamseg.models.lean import import_torchvision
import_torchvision()
assert not any(name.startswith("torch._dynamo") for name in sys.modules)
import torch
from torchvision.ops import roi_align
assert roi_align(torch.ones(1, 1, 8, 8), torch.tensor([[0.0, 0, 0, 4, 4]]), 2).tolist() == [[[[1, 1], [1, 1]]]]
double = torch.compile(lambda x: x + x, backend="eager")
assert double(torch.ones(2)).tolist() == [2, 2]
assert "torch._dynamo" in sys.modules
"""
ANOTHER_WISH = """
import sys
from streamseg.models import lean
import torch
sys.modules[lean._ASKED] = lean._Stand(lean._ASKED)
from torch._dynamo.utils import CompileTimeInstructionCounter, is_compile_supported
assert sys.modules[lean._ASKED].__file__.endswith("utils.py")
"""
LATE = """
import sys
import torch._dynamo, torchvision
before = sys.modules["torch._dynamo"]
from streamseg.models.lean import import_torchvision
import_torchvision()
assert sys.modules["torch._dynamo"] is before
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    import cv2
    import numpy as np

    path = str(tmp_path_factory.mktemp("clip") / "clip.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 30, (96, 64))
    for level in (40, 80, 120):
        writer.write(np.full((64, 96, 3), level, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("program", [PLAIN, AFTERWARDS, ANOTHER_WISH, LATE], ids=["plain", "after", "other", "late"])
def test_the_compiler_is_imported_only_when_wanted(program, clip):
    done = subprocess.run(
        [sys.executable, "-c", program.replace("{clip!r}", repr(clip))], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
