"""Every object in a video found, outlined and followed.

    import streamseg

    with streamseg.open("street.mp4", model="street") as stream:
        for result in stream:
            print(result.frame.seconds, result.instances.ids)

The names below are imported when they are first used, so that ``import streamseg`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamseg.errors import StageError, StreamsegError, UserError
    from streamseg.frame import Frame, StreamInfo
    from streamseg.instances import Instances
    from streamseg.pipeline import Pipeline, Statistics
    from streamseg.pipeline.stream import Stream, open
    from streamseg.regions import Regions
    from streamseg.result import Result
    from streamseg.settings import Settings

_HOMES = {
    "Frame": "frame",
    "Instances": "instances",
    "Pipeline": "pipeline",
    "Regions": "regions",
    "Result": "result",
    "Settings": "settings",
    "StageError": "errors",
    "Statistics": "pipeline",
    "Stream": "pipeline.stream",
    "StreamInfo": "frame",
    "StreamsegError": "errors",
    "UserError": "errors",
    "open": "pipeline.stream",
}

__all__ = [
    "Frame",
    "Instances",
    "Pipeline",
    "Regions",
    "Result",
    "Settings",
    "StageError",
    "Statistics",
    "Stream",
    "StreamInfo",
    "StreamsegError",
    "UserError",
    "open",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("streamseg")
        except PackageNotFoundError:
            return "0+unknown"  # run from a checkout that nobody installed
    if name not in _HOMES:
        raise AttributeError(f"module 'streamseg' has no attribute {name!r}")
    return getattr(import_module(f"streamseg.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
