"""A whole benchmark: the pipeline and the obvious loop by turns, then each stage alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamseg.benchmark import clip as clips
from streamseg.benchmark.apart import Apart
from streamseg.benchmark.report import PARTS, SLOW_PARTS, Report
from streamseg.settings import Settings

if TYPE_CHECKING:
    from streamseg.benchmark.identities import Identities

ROUND_SECONDS, STAGE_SECONDS = 10.0, 5.0
FEWEST, MOST, MOST_OF_STAGES = 10, 3000, 150
"""Frames of a round, and of a stage, where they are chosen by time."""
WARM_UP, TRIAL = 8, 24
"""Frames that are not counted: the first make everything ready, the next tell how long a round will take."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured.

    Attributes:
        frames: Of the pipeline in a round; None for as many as take about ten seconds.
        rounds: How often pipeline and loop take turns, and how many scenes identities are measured on.
        size: Width and height that the clip is brought to; None for its own.
        parts: Some of :data:`streamseg.benchmark.report.PARTS` and :data:`streamseg.benchmark.report.SLOW_PARTS`.
    """

    frames: int | None = None
    rounds: int = 3
    size: tuple[int, int] | None = None
    parts: tuple[str, ...] = PARTS


def measure(
    settings: Settings, options: Options, tell: Callable[[str], None], progress: Callable[[int, int], None]
) -> Report:
    """Run the benchmark; the pipeline and the loop live in processes of their own.

    Args:
        settings: Of the run; without a source the sample, or where streamseg came without it a rendered clip.
        options: What is measured.
        tell: Called with a line before what takes long.
        progress: Called with (steps done, steps in all).

    Raises:
        UserError: The clip, the model or the device is not to be had.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamseg-benchmark-")))
        clip = Path(settings.source[0]) if settings.source else clips.sample()
        if clip is None:
            tell("no --source: rendering two seconds of a street, which takes about 20 s")
            clip = clips.rendered(folder)
        size = options.size or clips.size_of(clip)
        settings = replace(settings, source=(str(clip),))
        ours = stack.enter_context(Apart("streamseg.benchmark.ours:Ours", settings, folder, name="the pipeline"))
        processes = {"pipeline": ours}
        if "loop" in options.parts:
            loop = Apart("streamseg.benchmark.loop:ObviousLoop", settings, folder, name="the obvious loop")
            processes["loop"] = stack.enter_context(loop)
        benchmark = _Benchmark(processes, options, lambda frames: clips.prepared(clip, folder, frames, size), progress)
        about = ours.call("about")
        tell(about["description"])
        return benchmark.run(Report(about | {"clip": clip.name, "width": size[0], "height": size[1]}))


class _Benchmark:
    """One run through all parts."""

    def __init__(
        self,
        processes: dict[str, Apart],
        options: Options,
        clip: Callable[[int], Path],
        progress: Callable[[int, int], None],
    ) -> None:
        self._processes = processes
        self._options = options
        self._clip = clip  # of at least so many frames
        self._progress = progress
        self._steps = 0

    def run(self, report: Report) -> Report:
        """Fill in the report."""
        options = self._options
        if set(options.parts) - {"overlay", "following", *SLOW_PARTS}:
            self._timed(report)
        if "overlay" in options.parts:
            report.painting = self._processes["pipeline"].call("painting")
            self._step()
        if "following" in options.parts:
            report.following = self._processes["pipeline"].call("following")
            self._step()
        if "identities" in options.parts:
            report.identities = self._identities()
        return report

    def _identities(self) -> list[Identities]:
        """What came out of each scene, taken together."""
        from streamseg.benchmark.identities import FIRST_SEED, together

        rows = []
        for seed in range(FIRST_SEED, FIRST_SEED + self._options.rounds):
            rows += self._processes["pipeline"].call("identities", seed)
            self._step()
        return together(rows)

    def _timed(self, report: Report) -> None:
        """Fill in what runs on the clip."""
        options, about, ours = self._options, report.about, self._processes["pipeline"]
        frames = self._frames()
        clip = self._clip(max(frames.values()))
        turns = [part for part in ("pipeline", "loop") if part in options.parts]
        for part in turns * options.rounds:
            process = self._processes[part]
            report.rounds.append((part, process.call("run", clip, frames[part])))
            if part not in report.memory:  # later rounds add what the allocator keeps of the threads of earlier ones
                report.memory[part] = process.call("memory")
            self._step()
        if "stages" in options.parts:
            alone = ours.call("stages", clip, frames["stages"])
            report.stages = alone["timings"]
            report.operations, report.peak_rate = alone["operations"], alone["peak_rate"]
            if "loop" in self._processes:
                batches = max(2, frames["loop"] // about["batch_size"])
                given = (clip, batches, about["batch_size"], about["precision"])
                report.forward = self._processes["loop"].call("forward", *given)
            self._step()
        report.notes = ours.call("notes")

    def _frames(self) -> dict[str, int]:
        """How many frames each part gets, after a trial in which everything becomes warm."""
        most = self._options.frames or MOST
        clip = self._clip(min(TRIAL, most))
        speed = {}
        for part, process in self._processes.items():
            warm_up, trial = (WARM_UP, TRIAL) if part == "pipeline" else (1, 2)
            process.call("run", clip, min(warm_up, most))
            speed[part] = process.call("run", clip, min(trial, most)).fps
            self._step()
        frames = {"pipeline": self._options.frames or _within(speed["pipeline"] * ROUND_SECONDS, FEWEST, most)}
        if "loop" in speed:
            seconds = frames["pipeline"] / speed["pipeline"]
            frames["loop"] = _within(speed["loop"] * seconds, 2, frames["pipeline"])
        frames["stages"] = _within(speed["pipeline"] * STAGE_SECONDS, FEWEST, min(most, MOST_OF_STAGES))
        return frames

    def _step(self) -> None:
        """One more step is done: of a trial each, the rounds, the stages, the overlay and what follows objects."""
        self._steps += 1
        options = self._options
        turns = sum(part in options.parts for part in ("pipeline", "loop", "identities")) * options.rounds
        alone = sum(part in options.parts for part in ("stages", "overlay", "following"))
        self._progress(self._steps, len(self._processes) + turns + alone)


def _within(number: float, least: int, most: int) -> int:
    return min(max(round(number), least), most)
