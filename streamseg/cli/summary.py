"""The closing summary of a run."""

from __future__ import annotations

from collections import Counter, defaultdict

from streamseg.pipeline import Statistics
from streamseg.pipeline.statistics import StreamStatistics


def summary(statistics: Statistics) -> str:
    """What was done and what was lost, in a few lines of plain text."""
    lines = [_frames(statistics), _regions(statistics) or _objects(statistics)]
    several = len(statistics.streams) > 1
    for stream in statistics.streams:
        if several:
            lines.append(f"{stream.info.name}: {_count(stream.frames, 'frame')}")
        if stream.resumed:
            lines.append(f"{stream.info.name}: went on after the {_count(stream.resumed, 'frame')} of an earlier run")
        if stream.latency.count:
            lines.append(
                f"{stream.info.name}: {1000 * stream.latency.mean:.0f} ms from frame to result on average,"
                f" {1000 * stream.latency.worst:.0f} ms at worst"
            )
        if stream.carried:
            lines.append(f"{stream.info.name}: {_carried(stream, statistics.seconds)}")
        lines += [f"{stream.info.name}: {note}" for note in stream.notes]
    lines.append("lost: " + (losses(statistics.streams) or "nothing"))
    lines.append(_busy(statistics))
    lines += statistics.notes
    return "\n".join(line for line in lines if line)


def counts(statistics: Statistics) -> str:
    """How many frames there were, and what was in them."""
    return f"{_count(statistics.frames, 'frame')}, {_objects(statistics)}"


def duration(seconds: float) -> str:
    """Seconds for people: ``4.2 s``, ``3:07 min``, ``1:02:09 h``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def speeds(network: float, pictures: float) -> str:
    """How many frames per second the model sees, and how many there are."""
    return f"network {network:.1f} / picture {pictures:.1f} fps"


def _carried(stream: StreamStatistics, seconds: float) -> str:
    line = f"the model saw {stream.segmented} of {_count(stream.frames, 'frame')}, the rest is carried on from these"
    return f"{line} ({speeds(stream.segmented / seconds, stream.frames / seconds)})" if seconds else line


def _frames(statistics: Statistics) -> str:
    line = f"{_count(statistics.frames, 'frame')} in {duration(statistics.seconds)} ({statistics.fps:.1f} fps)"
    first = statistics.first_result_seconds
    return line if first is None else f"{line}, the first after {duration(first)}"


def _objects(statistics: Statistics) -> str:
    if not statistics.objects:
        return "nothing seen"
    parts = []
    for name, count in statistics.objects.most_common():
        ids = statistics.identities[name]
        parts.append(f"{name} {count}" + (f" ({_count(ids, 'ID')})" if ids else ""))
    return "objects: " + ", ".join(parts)


def _regions(statistics: Statistics) -> str:
    """How much of the average frame each class covers."""
    ranked = sorted(statistics.covered.items(), key=lambda item: -item[1])
    parts = [f"{name} {share / statistics.frames:.1%}" for name, share in ranked]
    return "regions, share of the frames: " + ", ".join(parts) if parts else ""


def losses(streams: list[StreamStatistics]) -> str:
    """What could not be had; empty for nothing."""
    several = len(streams) > 1
    parts = []
    for stream in streams:
        lost = Counter(stream.losses)
        if stream.dropped:
            lost["dropped frames"] += stream.dropped
        where = f" ({stream.info.name})" if several else ""
        parts += [f"{number} {what}{where}" for what, number in lost.items() if number]
    return ", ".join(parts)


def _busy(statistics: Statistics) -> str:
    """Seconds of work per kind of stage, all sources together."""
    kinds: dict[str, float] = defaultdict(float)
    for stage, seconds in statistics.busy.items():
        kinds[stage.split()[0]] += seconds
    order = ("decode", "segment", "track", "paint", "write")
    return "busy: " + ", ".join(f"{kind} {duration(kinds[kind])}" for kind in order if kind in kinds) if kinds else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
