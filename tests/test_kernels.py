"""Every kernel compiles for a GPU (an H100), which needs none here. Run as a program, this file compiles them."""

import os
import subprocess
import sys

import pytest

# Module, kernel, types of its arguments, its constants, options.
KERNELS = [
    (
        "models.gpu.suppression_triton",
        "_find_overlaps",
        "boxes:*fp32 groups:*i32 overlaps:*i32 count:i32 threshold:fp32",
        {"WORDS": 32},
        {"num_warps": 1},
    ),
    (
        "models.gpu.suppression_triton",
        "_walk",
        "overlaps:*i32 alive:*i8 keep:*i8 count:i32",
        {"WORDS": 64},
        {"num_warps": 1},
    ),
    (
        "models.gpu.align_triton",
        "_align",
        "features:*fp16 regions:*fp32 levels:*i32 images:*i32 out:*fp16 level:i32 scale:fp32 height:i32 width:i32 "
        "channels:i32 per_image:i32 per_row:i32 per_column:i32",
        {"per_channel": 1, "SIZE": 7, "RATIO": 2, "CELLS": 8, "CHANNELS": 256},
        {},
    ),
    (
        "overlay.device_triton",
        "_paste",
        "table:*i32 owners:*i32 masks:*fp32 patches:*u8",
        {"CELLS": 28, "ALIGNED": False, "COLUMNS": 16, "TILE": 32},
        {},
    ),
    (
        "overlay.device_triton",
        "_paint",
        "layer:*u8 table:*i32 patches:*u8 count:i32 height:i32 width:i32 opacity:fp32 shade:i32 per_channel:i32 "
        "per_row:i32",
        {
            "per_column": 1,
            "CHANNELS": 2,
            "FIRST": 7,
            "STEP": 2,
            "LINE": 2,
            "RIM": 2,
            "SHADED": True,
            "COLUMNS": 16,
            "ROWS": 8,
            "WIDTH": 128,
        },
        {},
    ),
]


def test_kernels_compile():
    pytest.importorskip("triton", reason="Triton comes with torch on Linux only")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.split() == [name for _, name, *_ in KERNELS], done.stderr


def compile_all() -> None:
    from importlib import import_module

    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    for module, name, types, constants, options in KERNELS:
        kernel = getattr(import_module(f"streamseg.{module}"), name)
        signature = dict(one.split(":") for one in types.split()) | dict.fromkeys(constants, "constexpr")
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={**options, "enable_fp_fusion": False})
        assert made.asm["cubin"]
        print(name)


if __name__ == "__main__":
    compile_all()
