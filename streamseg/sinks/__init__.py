"""Where results go: an annotated video, annotated images, records, a table of tracks, a window.

Each kind is one file here and one registration in ``kinds.py``; what writes the media is imported only when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamseg.sinks.base import Ending, Marking, Resumable, Sink, StopRequested
from streamseg.sinks.kinds import Kind, check, make_sink, register

if TYPE_CHECKING:
    from streamseg.sinks.images import ImageSink
    from streamseg.sinks.mot import MotSink, MotsSink
    from streamseg.sinks.records import RecordsSink
    from streamseg.sinks.tracks import TracksSink
    from streamseg.sinks.video import VideoFileSink
    from streamseg.sinks.window import WindowSink

__all__ = [
    "Ending",
    "ImageSink",
    "Kind",
    "Marking",
    "MotSink",
    "MotsSink",
    "RecordsSink",
    "Resumable",
    "Sink",
    "StopRequested",
    "TracksSink",
    "VideoFileSink",
    "WindowSink",
    "check",
    "make_sink",
    "register",
]

_WHERE = {
    "ImageSink": "images",
    "MotSink": "mot",
    "MotsSink": "mot",
    "RecordsSink": "records",
    "TracksSink": "tracks",
    "VideoFileSink": "video",
    "WindowSink": "window",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
