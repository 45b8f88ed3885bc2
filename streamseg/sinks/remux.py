"""The finished file: all packets of the growing one, with what else the source has, and the index in front."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamseg.media import reading, video_stream
from streamseg.sinks.extras import Extras
from streamseg.sinks.sound import keep_tags

import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av

MAX_MOVIE_TIMESCALE = 1_000_000
_BUFFER = 1 << 20  # bytes that are written at once
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
_MATROSKA = {"cues_to_front": "1"}
_MOST_TAG = 64 << 10  # characters of one tag; a longer one is no description

# What says how a file was made, not what is in it; the muxer writes its own.
_TECHNICAL = "major_brand minor_version compatible_brands encoder duration handler_name vendor_id"

# What MP4's own tags (iTunes' and 3GPP's) have room for; anything else needs QuickTime's, which take any name.
_MP4_TAGS = (
    "title artist album_artist composer album date comment genre copyright grouping lyrics description synopsis show"
    " episode_id network keywords episode_sort season_number media_type hd_video gapless_playback compilation track"
    " disc creation_time location location-eng"
)
_PICTURE_TAGS = ("language", "title", "handler_name", "timecode", "creation_time")


@dataclass(slots=True)
class Descriptions:
    """What a source says of itself.

    Attributes:
        tags: Of the file: title, place, time of creation and others.
        picture: Of the picture that is annotated: language, timecode and others.
        chapters: As PyAV has them.
        rate: Pictures per second, in which timecodes count; None where not known.
    """

    tags: dict[str, str] = field(default_factory=dict)
    picture: dict[str, str] = field(default_factory=dict)
    chapters: list[Any] = field(default_factory=list)
    rate: Fraction | None = None

    @classmethod
    def of(cls, path: Path | None) -> Descriptions:
        """Those of a media file; none where it cannot be read, or there is no file."""
        if path is None:
            return cls()
        try:
            with reading(path) as container:
                stream = video_stream(container)
                tags = {key: text for key, text in container.metadata.items() if key.lower() not in _TECHNICAL.split()}
                own = stream.metadata if stream is not None else {}
                picture = {key: own[key] for key in _PICTURE_TAGS if key in own}
                tags = {key: text for key, text in tags.items() if len(text) <= _MOST_TAG}
                rate = stream.average_rate if stream is not None else None
                return cls(tags, picture, container.chapters(), rate)
        except (av.error.FFmpegError, ValueError, OSError):
            return cls()


@dataclass(frozen=True, slots=True)
class Plan:
    """How times in the finished file come about; all in seconds.

    Attributes:
        back: What is added to the times of each stream of the growing file, by its place.
        last: Start (before that) and duration of the last frame. FFmpeg reads fragments without durations, and what has
            none at the end is left out by players.
        moved: By how much the finished file's times are later than the source's.
        end: The source's time at which what else it has is cut off; None where its picture ended.
    """

    back: Mapping[int, Fraction]
    last: tuple[Fraction, Fraction]
    moved: Fraction = Fraction(0)
    end: Fraction | None = None


def finish(
    part: Path,
    whole: Path,
    kind: str,
    source: Path | None,
    plan: Plan,
) -> list[str]:
    """Write a finished file.

    What the source has besides picture and sound is left out, and said so, where the file cannot be written with it.

    Args:
        part: The growing file: a fragmented MP4 of the picture and sound.
        whole: The file to write.
        kind: FFmpeg's name of its format: ``mp4``, ``mov`` or ``matroska``.
        source: The source's own file, from which all else is taken; None where there is none.
        plan: How the times of the two, and of the source, belong together.

    Returns:
        What was rewritten or could not be taken over.

    Raises:
        OSError: There is no room, for example.
        av.error.FFmpegError: It cannot be written.
    """
    try:
        return _finish(part, whole, kind, source, plan, Descriptions.of(source))
    except av.error.FFmpegError as error:
        if source is None or (isinstance(error, OSError) and error.errno in _DISK):
            raise
        notes = _finish(part, whole, kind, source if kind == "matroska" else None, plan, Descriptions())
        reason = getattr(error, "strerror", None) or str(error)
        return [*notes, f"subtitles, data, chapters and tags of {source.name} are not in the output ({reason})"]


def _finish(part: Path, whole: Path, kind: str, source: Path | None, plan: Plan, about: Descriptions) -> list[str]:
    matroska = kind == "matroska"
    with reading(part) as old, whole.open("w+b", buffering=0) as file:
        timescale = max((stream.time_base.denominator for stream in old.streams.video), default=1000)
        options = {"avoid_negative_ts": "disabled", **(_MATROSKA if matroska else _options(about, kind, timescale))}
        # To put the index in front, the muxer reads what it has written.
        how: dict[str, Any] = {"buffer_size": _BUFFER, "io_open": lambda *_: whole.open("rb", buffering=0)}
        with av.open(file, "w", format=kind, container_options=options, **how) as new:
            new.metadata.update(about.tags)
            new.set_chapters(_chapters(about.chapters, plan))
            streams = _streams(old, new, about, sound=not matroska or source is None)
            extras = Extras(source, new, sound=matroska) if source is not None else None
            try:
                _copy(old, new, streams, extras, plan)
            finally:
                if extras is not None:
                    extras.close()
        os.fsync(file.fileno())
    return extras.notes if extras is not None else []


def _options(about: Descriptions, kind: str, timescale: int) -> dict[str, str]:
    more = "+use_metadata_tags" if kind == "mp4" and not about.tags.keys() <= set(_MP4_TAGS.split()) else ""
    return {
        "movflags": f"faststart{more}",
        # Edit lists hold start offsets in this unit; at the usual 1000 they would be off by half a millisecond.
        "movie_timescale": str(timescale if timescale <= MAX_MOVIE_TIMESCALE else 1000),
        "write_tmcd": "1" if "timecode" in about.picture else "0",
    }


def _streams(old: Any, new: Any, about: Descriptions, sound: bool) -> dict[int, Any]:
    """The output's streams for those of the growing file, by their places there."""
    streams = {}
    for stream in old.streams:
        if stream.type == "audio" and not sound:
            continue
        copy = new.add_stream_from_template(stream, opaque=True)
        copy.time_base = stream.time_base
        keep_tags(stream, copy)
        if stream.type == "video":
            copy.metadata.update(about.picture)
            if about.rate:
                copy.codec_context.framerate = about.rate
        streams[stream.index] = copy
    return streams


def _chapters(chapters: list[Any], plan: Plan) -> list[Any]:
    """The chapters as far as the picture goes, with the finished file's times."""
    kept = []
    for chapter in chapters:
        unit = chapter["time_base"]
        if plan.end is None or chapter["start"] * unit < plan.end:
            ticks = round(plan.moved / unit)
            end = chapter["end"] if plan.end is None else min(chapter["end"], round(plan.end / unit))
            kept.append({**chapter, "start": chapter["start"] + ticks, "end": end + ticks})
    return kept


def _copy(old: Any, new: Any, streams: Mapping[int, Any], extras: Extras | None, plan: Plan) -> None:
    """Copy all packets, each of the picture's after what else there is up to it."""

    def more(end: Fraction | None) -> None:
        for packet in extras.before(end) if extras is not None else ():
            ticks = round(plan.moved / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            new.mux(packet)

    before: dict[int, int] = {}
    for packet in old.demux():
        if packet.dts is None or packet.stream_index not in streams:
            continue
        if not packet.duration:
            packet.duration = packet.dts - before.get(packet.stream_index, packet.dts)
        before[packet.stream_index] = packet.dts
        video = packet.stream.type == "video"
        if video and packet.pts * packet.time_base == plan.last[0]:
            packet.duration = round(plan.last[1] / packet.time_base)
        shift = round(plan.back.get(packet.stream_index, Fraction(0)) / packet.time_base)
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        if video:
            more(packet.pts * packet.time_base - plan.moved)
        packet.stream = streams[packet.stream_index]
        new.mux(packet)
    more(plan.end)
