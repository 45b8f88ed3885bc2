"""Going on with a run that broke off: what is kept of its files, and from where the source is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from streamseg.errors import Mismatch
from streamseg.frame import StreamInfo
from streamseg.pipeline.core import Outlet
from streamseg.pipeline.marks import Mark, Start, check_sum, latest_certain, read_marks, start_for
from streamseg.settings import Settings
from streamseg.sinks import Marking, Resumable
from streamseg.sources import Seekable, Source
from streamseg.tracking import Tracker
from streamseg.tracking.state import from_bytes

STEADYING = 0.35
"""Seconds, beyond the delay, within which sightings can change a result."""

# Groups of settings that decide what is found and drawn; the rest may change between the two runs.
_DECISIVE = ("Model", "Tracking", "Look")
_MORE = ("stride", "deinterlace")
_FREE = ("device", "precision", "batch_size")


def purpose(settings: Settings, info: StreamInfo, model: str, class_names: Sequence[str]) -> dict[str, Any]:
    """What a run does with a source, by which it is told whether another goes on with it."""
    run: dict[str, Any] = {"source": _identity(info), "model": model, "model's classes": list(class_names)}
    for one in fields(settings):
        group = one.metadata["rule"].group
        if (group in _DECISIVE and one.name not in _FREE) or one.name in _MORE:
            value = getattr(settings, one.name)
            run[one.name] = list(value) if isinstance(value, tuple) else value
    return run


def resume(
    settings: Settings,
    sources: Sequence[Source],
    outlets: Sequence[Outlet],
    trackers: Sequence[Tracker],
    runs: Sequence[Mapping[str, Any]],
) -> list[Start]:
    """Prepare sources, sinks and trackers to go on where an earlier run broke off; new ones where there is nothing.

    Raises:
        Mismatch: The earlier run did something else.
        UserError: Its files cannot be read.
    """
    return [
        _resume_one(settings, source, _of_stream(outlets, stream), tracker, run)
        for stream, (source, tracker, run) in enumerate(zip(sources, trackers, runs, strict=True))
    ]


def marking(outlets: Sequence[Outlet], stream: int) -> Marking | None:
    """The sink that keeps the marks of a source; None where no file is written that could."""
    return next((sink for sink in _of_stream(outlets, stream) if isinstance(sink, Marking)), None)


def _of_stream(outlets: Sequence[Outlet], stream: int) -> list[Any]:
    return [outlet.sink for outlet in outlets if outlet.streams is None or stream in outlet.streams]


def _resume_one(
    settings: Settings, source: Source, sinks: Sequence[Any], tracker: Tracker, run: Mapping[str, Any]
) -> Start:
    name = source.info.name
    files = [sink for sink in sinks if isinstance(sink, Resumable)]
    first = _common(files, name)
    keeper = next((sink for sink in sinks if isinstance(sink, Marking)), None)
    marks, ended = read_marks(keeper.marks()) if keeper is not None and first else ([], False)
    if not marks:
        return Start()
    _compare(marks[-1].run, run)
    around = STEADYING + (settings.track_delay if settings.tracker != "none" else 0.0), 2 * settings.stride
    if ended:
        first = _common(files, name, latest_certain(marks, *around))
    mark = start_for(marks, first, around[0] + settings.trails, around[1])
    begin = _set_back(source, tracker, mark) if mark is not None else 0
    for sink in files:
        sink.resume(name, first)
    return Start(begin, first)


def _common(files: Sequence[Resumable], name: str, first: int = sys.maxsize) -> int:
    """The most frames, ``first`` at most, after which all files can be gone on with."""
    while first and first != (least := min((sink.kept(name, first) for sink in files), default=0)):
        first = least
    return first


def _set_back(source: Source, tracker: Tracker, mark: Mark) -> int:
    """Have source and tracker as they were at a mark; the index of the frame that comes next."""
    try:
        state = from_bytes(mark.state) if mark.state else {}
        if state:
            tracker.restore(state)
    except ValueError:
        return 0  # another version's: all is read again from the beginning, which comes to the same
    if isinstance(source, Seekable):
        source.begin_at(mark.index, mark.pts * mark.time_base, lambda frame: check_sum(frame) == mark.crc)
    return mark.index


def _compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) == now.get(name):
            continue
        flag = f"--{name.replace('_', '-')}"
        was, is_now = (_shown(run.get(name), flag) for run in (before, now))
        difference = f"{was}, this one has {is_now}"
        if name in ("source", "model", "model's classes"):
            difference = f"another {name}"
        raise Mismatch(f"--resume: the earlier run had {difference}; give the same, or leave --resume out")


def _shown(value: Any, flag: str) -> str:
    if value is None or value == []:
        return f"no {flag}"
    return f"{flag} {','.join(map(str, value)) if isinstance(value, list) else value}"


def _identity(info: StreamInfo) -> list[Any]:
    """What tells one source from another, wherever it lies now."""
    if info.path is not None:
        return [info.name, os.path.getsize(info.path)]
    return [info.name, len(info.files)]
