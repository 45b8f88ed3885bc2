"""torchvision without torch's compiler, which it imports for one function that streamseg never calls."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

_COMPILER = "torch._dynamo"
_ASKED = f"{_COMPILER}.utils"


class _Stand(ModuleType):
    """Answers for ``torch._dynamo.utils`` while torchvision is imported; any other wish gets the real one."""

    @staticmethod
    def is_compile_supported(device_type: str) -> bool:
        """Whether to compile a slow RoIAlign for deterministic algorithms; its kernels do without."""
        return False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _leave()
        from importlib import import_module

        return getattr(import_module(self.__name__), name)


def import_torchvision() -> None:
    """Imports torch and torchvision; half a second sooner, and 150 MB smaller, than torchvision by itself.

    Programs that use the compiler can do so as ever: it is imported when they ask for it.
    """
    import torch  # noqa: F401

    if "torchvision" in sys.modules or _COMPILER in sys.modules:
        return
    for name in (_COMPILER, _ASKED):
        sys.modules[name] = _Stand(name)
    try:
        import torchvision
        import torchvision.models.detection  # noqa: F401
    finally:
        _leave()


def _leave() -> None:
    for name in (_COMPILER, _ASKED):
        if isinstance(sys.modules.get(name), _Stand):
            del sys.modules[name]
