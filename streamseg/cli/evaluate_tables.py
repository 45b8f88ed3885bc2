"""What ``streamseg evaluate`` prints: tables for people, or JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from streamseg.cli.tables import show_table
from streamseg.evaluation.coco import Precision
from streamseg.evaluation.report import DataReport
from streamseg.evaluation.scores import TrackScores
from streamseg.evaluation.semantic import SemanticFigures
from streamseg.evaluation.sequences import BenchmarkReport, SequenceReport
from streamseg.evaluation.tracking import By
from streamseg.evaluation.video import VideoReport
from streamseg.training.coco import CocoData

IN_JSON_ONLY = ("mostly_tracked", "mostly_lost")  # a table has no room for them


def print_data(report: DataReport, confusion: bool, where: str) -> None:
    """A model on a data set; ``where`` it ran is told beside the speed."""
    if report.mask:
        _print_precision(report.mask, report.box)
    if confusion:
        table = report.confusion
        rows = zip(table.rows, table.counts.tolist(), strict=True)
        scores = f" with scores from {report.score_threshold:g}" if table.things == "objects" else ""
        title = f"Numbers of {table.things}{scores}: rows are the truth, columns the model"
        show_table(title, table.columns, ((name, map(str, counts)) for name, counts in rows))
    _print_semantic(report.semantic)
    print(f"{report.images} pictures; {report.median_ms:.0f} ms each, 95 % within {report.p95_ms:.0f} ms ({where})")


def print_video(report: VideoReport) -> None:
    """Records of a video against its truth."""
    _print_tracks(_frames(report.frames, report.by), {**report.tracks, "all": report.overall})
    _print_precision(report.mask, report.box)


def print_sequence(report: SequenceReport) -> None:
    """Tracks of a video against its truth."""
    for by, tracks in report.tracks.items():
        _print_tracks(_frames(report.frames, by), {**tracks, "all": report.overall(by)})


def print_benchmark(report: BenchmarkReport, per_sequence: bool) -> None:
    """Tracks of many videos against their truth; ``per_sequence`` each by itself, too."""
    frames = sum(one.frames for one in report.sequences)
    for by in report.kinds:
        rows = {one.name: one.overall(by) for one in report.sequences if per_sequence}
        if len(report.data_sets) > 1:
            rows |= {data_set: report.combined(by, data_set) for data_set in report.data_sets}
        elif len(classes := report.classes(by)) > 1:
            rows |= classes
        title = f"{len(report.sequences)} sequences, {_frames(frames, by)}"
        _print_tracks(title, {**rows, "all": report.combined(by)}, "")


def data_json(report: DataReport, data: CocoData, facts: dict[str, Any]) -> str:
    """The same for programs; ``facts`` come first."""
    return _json(
        {
            **facts,
            "images": report.images,
            "unknown": report.unknown,
            **_precisions(report.mask, report.box),
            "semantic": asdict(report.semantic),
            "score_threshold": report.score_threshold,
            "confusion": {**asdict(report.confusion), "counts": report.confusion.counts.tolist()},
            "worst": [{"file_name": data.images[one.index]["file_name"], "note": one.note} for one in report.worst],
            "milliseconds": {"median": report.median_ms, "p95": report.p95_ms},
        }
    )


def video_json(report: VideoReport) -> str:
    """The same for programs."""
    tracks = {**report.tracks, "all": report.overall}
    return _json(
        {
            "frames": report.frames,
            "by": report.by,
            "left_out": report.left_out,
            "tracks": _every_measure(tracks),
            **_precisions(report.mask, report.box),
        }
    )


def sequence_json(report: SequenceReport) -> str:
    """The same for programs."""
    return _json({"frames": report.frames, "left_out": report.left_out, "tracks": _sequence(report)})


def benchmark_json(report: BenchmarkReport) -> str:
    """The same for programs."""
    return _json(
        {
            "missing": [one.name for one in report.sequences if one.missing],
            "sequences": {
                one.name: {
                    "data_set": one.data_set,
                    "frames": one.frames,
                    "left_out": one.left_out,
                    "tracks": _sequence(one),
                }
                for one in report.sequences
            },
            "data_sets": {
                data_set: {by: _measures(report.combined(by, data_set)) for by in report.kinds}
                for data_set in report.data_sets
            },
            "tracks": {by: _every_measure({**report.classes(by), "all": report.combined(by)}) for by in report.kinds},
        }
    )


def _sequence(report: SequenceReport) -> dict[str, Any]:
    return {by: _every_measure({**tracks, "all": report.overall(by)}) for by, tracks in report.tracks.items()}


def _frames(count: int, by: By) -> str:
    return f"{count} frames, overlap of {'masks' if by == 'mask' else 'boxes'}"


def _print_tracks(title: str, scores: dict[str, TrackScores], first: str = "class") -> None:
    rows = {name: _measures(one) for name, one in scores.items()}
    head = [name for name in rows["all"] if name not in IN_JSON_ONLY]
    show_table(title, head, ((name, _cells(one[key] for key in head)) for name, one in rows.items()), first)


def _print_precision(mask: dict[str, Precision], box: dict[str, Precision]) -> None:
    sides = [(kind, side) for kind, side in (("mask", mask), ("box", box)) if side]
    names = ("AP", "AP50", "AP75", "small", "medium", "large")
    head = [f"{kind}\n{name}" for kind, _ in sides for name in names]
    rows = ((name, [_number(getattr(side[name], key.lower())) for _, side in sides for key in names]) for name in box)
    show_table("Average precision (COCO)", head, rows)


def _print_semantic(figures: SemanticFigures) -> None:
    rows = [(name, (_number(one.iou), _number(one.accuracy))) for name, one in figures.classes.items()]
    rows.append(("mean", (_number(figures.mean_iou), _number(figures.mean_accuracy))))
    title = f"Pixels: {100 * figures.pixel_accuracy:.1f} % have the right class"
    show_table(title, ("IoU", "accuracy"), rows)


def _every_measure(scores: dict[str, TrackScores]) -> dict[str, Any]:
    return {name: _measures(one) for name, one in scores.items()}


def _measures(scores: TrackScores) -> dict[str, float]:
    """Shares, then counts, under the names that they have in tables."""
    return {
        "HOTA": scores.hota,
        "DetA": scores.deta,
        "AssA": scores.assa,
        "IDF1": scores.idf1,
        "MOTA": scores.mota,
        "MOTP": scores.motp,
        "switches": scores.switches,
        "fragments": scores.fragmentations,
        "found": scores.matched,
        "missed": scores.misses,
        "false": scores.false_positives,
        "mostly_tracked": scores.mostly_tracked,
        "mostly_lost": scores.mostly_lost,
    }


def _cells(values: Iterable[float]) -> list[str]:
    return [str(value) if isinstance(value, int) else _number(value) for value in values]


def _precisions(mask: dict[str, Precision], box: dict[str, Precision]) -> dict[str, Any]:
    return {
        kind: {name: asdict(one) for name, one in side.items()} for kind, side in (("mask", mask), ("box", box)) if side
    }


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _json(value: Any) -> str:
    return json.dumps(_without_nan(value), indent=1, ensure_ascii=False, allow_nan=False)


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: what is not known is null."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
