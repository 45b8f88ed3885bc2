"""What ``streamseg benchmark`` prints for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from streamseg.benchmark.report import Report
from streamseg.benchmark.timing import Timing
from streamseg.cli.tables import show_table

NAMES = {
    "loop": "obvious loop",
    "network": "network, one worker",
    "postprocessing": "post-processing, one worker",
}
_NOTHING = "–"

if TYPE_CHECKING:
    from streamseg.benchmark.identities import Identities


def print_report(report: Report) -> None:
    """Everything that was measured, and on what."""
    about = report.about
    machine = about["machine"]
    print(_machine(machine))
    where = f"{about['model']} on {about['device']}, {about['precision']}, batches of {about['batch_size']}"
    where += f", {about['workers']} at once" if about["workers"] > 1 else ""
    where += f", one frame in {about['stride']} for the model" if about["stride"] > 1 else ""
    title = f"{about['clip']} at {about['width']}x{about['height']}, {where}"
    head = ("frames/s", "ms/frame", "median", "95 %", "CPU ms", "memory GB", "device GB")
    rows: list[tuple[str, Iterable[str]]] = []
    for part in ("pipeline", "loop"):
        if (whole := report.whole(part)) is not None:
            rows.append((NAMES.get(part, part), [*_cells(whole), *map(_gigabytes, report.memory[part].values())]))
    segment = f"network and post-processing, {about['workers']} at once"
    for name, timing in report.stages.items():
        label = segment if name == "segment" else NAMES.get(name, name)
        rows.append((f"  {label}", [*_cells(timing), "", ""]))
    if report.forward is not None:
        rows.append(("torchvision's forward alone, nothing pasted", [*_cells(report.forward), "", ""]))
    if rows:
        show_table(title, head, rows, "what")
    for line in [*_conclusions(report), *report.notes]:
        print(line)
    if report.painting:
        _print_painting(report.painting, machine["supervision"])
    if report.following:
        _print_following(report.following)
    if report.identities:
        _print_identities(report.identities)


def _machine(machine: dict[str, Any]) -> str:
    gpu = f"; {machine['gpu']}, {machine['gpu_memory_gb']:.0f} GB" if machine["gpu"] else ""
    memory = f", {machine['memory_gb']:.0f} GB" if machine["memory_gb"] else ""
    cores = f"{machine['cores']} core{'s' if machine['cores'] > 1 else ''}"
    versions = ", ".join(f"{name} {machine[name]}" for name in ("torch", "torchvision", "opencv", "av"))
    return f"{machine['cpu']}, {cores}{memory}{gpu}; {machine['system']}; Python {machine['python']}, {versions}"


def _conclusions(report: Report) -> list[str]:
    ratios = report.ratios()
    lines = []
    if (ratio := ratios["pipeline_over_loop"]) is not None:
        lines.append(f"pipeline ÷ obvious loop: {ratio:.1f} times the frames per second")
    if (ratio := ratios["end_to_end_over_slowest_stage"]) is not None and report.slowest is not None:
        lines.append(f"end to end ÷ slowest stage alone ({report.slowest[0]}): {ratio:.2f} times as long")
    if (ratio := ratios["end_to_end_over_bound"]) is not None:
        lines.append(f"end to end ÷ the larger of network alone and CPU seconds ÷ cores: {ratio:.2f} times as long")
    if (ratio := ratios["network_over_torchvision"]) is not None:
        lines.append(f"network ÷ torchvision's forward in the same batches: {ratio:.1f} times the frames per second")
    if (ratio := ratios["share_of_matrix_rate"]) is not None and report.operations and report.peak_rate:
        lines.append(
            f"network: {report.operations / 1e9:.1f} billion operations per frame, {100 * ratio:.0f} % of what a large "
            f"matrix product reaches here ({report.peak_rate / 1e12:.2f} trillion per second)"
        )
    return lines


def _print_painting(painting: list[dict[str, Any]], supervision: str | None) -> None:
    peer = f"supervision {supervision}\ndraw only" if supervision else "supervision\nnot installed"
    head = ("streamseg\n4:2:0", "streamseg\nRGB", "torchvision\npaste + draw", peer)
    rows = [(f"{one['size'][0]}x{one['size'][1]}", map(_milliseconds, one["ms"].values())) for one in painting]
    show_table(f"{painting[0]['instances']} objects painted on one core, median ms", head, rows, "size")


def _print_following(following: list[dict[str, Any]]) -> None:
    rows = [
        (one["part"], ["x".join(map(str, one["size"])), str(one["instances"]), _milliseconds(one["ms"])])
        for one in following
    ]
    show_table("objects followed on one core, median ms per frame", ("size", "objects", "ms"), rows, "what")


def _print_identities(identities: list[Identities]) -> None:
    head = ("switches", "IDF1", "HOTA", "switches\nby boxes", "IDF1\nby boxes", "HOTA\nby boxes")
    rows: dict[str, list[str]] = {}
    for one in identities:
        name = {"boxes": "boxes only", "masks": "masks too"}[one.association]
        cells = [str(one.scores.switches), f"{100 * one.scores.idf1:.1f}", f"{100 * one.scores.hota:.1f}"]
        rows.setdefault(f"{one.detections}: {name}", []).extend(cells)
    show_table(
        "identities in crowds that hide one another, compared with the truth by masks", head, rows.items(), "what"
    )


def _cells(timing: Timing | None) -> list[str]:
    if timing is None:
        return [_NOTHING] * 5
    times = (timing.mean_ms, timing.median_ms, timing.p95_ms, timing.cpu_ms)
    return [f"{timing.fps:.1f}", *map(_milliseconds, times)]


def _milliseconds(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _gigabytes(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"
