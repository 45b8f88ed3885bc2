"""A finished file whose run was stopped: what it takes to go on, kept at its end, and the way back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamseg.media import reading, video_stream
from streamseg.sinks.fragments import Fragmented, scan
from streamseg.sinks.growing import GrowingFile, noted
from streamseg.sinks.part import BUFFER, OPTIONS

import av  # isort: skip  # after cv2, which part imports first

_STOPPED = "stopped"
_MARKS = 5  # the last ones, which reach back some seconds before the end


def note_stopped(path: Path, about: dict[str, Any], back: Mapping[int, Fraction], marks: Sequence[bytes]) -> None:
    """Keep at the end of a finished MP4, where players pass over it, what it takes to go on.

    Args:
        path: The finished file.
        about: What is noted in the growing file that it was made of.
        back: What was added to the times of each of its streams, seconds.
        marks: What was noted behind its fragments.

    Raises:
        OSError: There is no room, for example.
    """
    with path.open("ab") as file:
        moved = {stream: str(-by) for stream, by in back.items()}
        file.write(noted(json.dumps({**about, _STOPPED: moved}).encode()))
        file.writelines(noted(mark) for mark in marks[-_MARKS:])


def was_stopped(path: Path) -> Fragmented | None:
    """What ``note_stopped`` kept in a finished file; None where it was not stopped, or is no such file."""
    try:
        found = scan(path)
    except OSError:
        return None
    return found if isinstance(found.about.get(_STOPPED), dict) else None


def unfinish(path: Path, part: Path, kept: Fragmented) -> None:
    """Write a finished file as the growing one that it was made of.

    Args:
        path: The finished file.
        part: The growing file to write.
        kept: From ``was_stopped``.

    Raises:
        OSError: There is no room, for example.
        av.error.FFmpegError: It cannot be read or written.
    """
    about = {key: value for key, value in kept.about.items() if key != _STOPPED}
    moved = [Fraction(by) for _, by in sorted(kept.about[_STOPPED].items(), key=lambda item: int(item[0]))]
    file = GrowingFile(part, about)
    try:
        for mark in kept.notes:
            file.note(mark)
        options: dict[str, Any] = {"container_options": dict(OPTIONS), "buffer_size": BUFFER}
        with reading(path) as old, av.open(file, "w", format="mp4", **options) as new:
            streams, later = {}, {}
            for place, stream in enumerate((video_stream(old), *old.streams.audio)):
                later[stream.index] = moved[place] if place < len(moved) else Fraction(0)
                copy = new.add_stream_from_template(stream, opaque=True)
                copy.time_base = stream.time_base
                streams[stream.index] = copy
            for packet in old.demux(*(old.streams[index] for index in streams)):
                if packet.dts is not None:
                    ticks = round(later[packet.stream_index] / packet.time_base)
                    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                    packet.stream = streams[packet.stream_index]
                    new.mux(packet)
            file.say_closing()
    finally:
        file.close()
