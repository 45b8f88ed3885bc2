"""streamseg itself, in the process that it is measured in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamseg.benchmark.machine import device_peak, machine, peak_resident
from streamseg.benchmark.timing import Stopwatch, Timing
from streamseg.pipeline.allocation import tidy_memory
from streamseg.pipeline.wiring import Plan
from streamseg.settings import Settings

if TYPE_CHECKING:
    from streamseg.benchmark.identities import Identities


class Ours:
    """The pipeline, its stages and its overlay.

    What the pipeline does not need is imported after it has run, since its memory is measured here.

    Args:
        settings: Of the run; ``source`` is opened once to check it.
        folder: Where the annotated video and the records are written, again and again.

    Raises:
        UserError: The source or the model is not to be had.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        output, records = str(folder / "annotated.mp4"), str(folder / "records.jsonl")
        self._settings = replace(settings, output=output, records=records, show=False, overwrite=True)
        with Plan(self._settings) as plan:
            self._segmenter = plan.load()
            self._batch_size = plan.parts(self._segmenter).batch_size

    def about(self) -> dict[str, Any]:
        """The machine, and what was chosen."""
        segmenter = self._segmenter
        return {
            "machine": machine(segmenter.device),
            "description": segmenter.description,
            "model": segmenter.model.name,
            "device": str(segmenter.device),
            "precision": segmenter.number_format,
            "batch_size": self._batch_size,
            "workers": segmenter.workers,
            "stride": self._settings.stride,
        }

    def run(self, clip: Path, frames: int) -> Timing:
        """The main job on the first frames of a clip, with video and records written.

        From the start of the threads to the whole files; a lap is the time from one result to the next.
        """
        with tidy_memory(), Plan(self._on(clip, frames)) as plan:
            pipeline = plan.pipeline(self._segmenter)
            watch = Stopwatch()
            for _ in watch.waiting(pipeline):
                pass
            return watch.stop()

    def notes(self) -> list[str]:
        """What the user should know of the runs so far, such as that a GPU's memory was too small for a batch."""
        return self._segmenter.notes

    def memory(self) -> dict[str, float | None]:
        """The most that the process and its device have held, GB."""
        return {"process_gb": peak_resident(), "device_gb": device_peak(self._segmenter.device)}

    def stages(self, clip: Path, frames: int) -> dict[str, Any]:
        """See :meth:`streamseg.benchmark.stages.Stages.measure`."""
        from streamseg.benchmark.stages import Stages

        return Stages(self._segmenter, self._on(clip, frames)).measure()

    def painting(self) -> list[dict[str, Any]]:
        """See :func:`streamseg.benchmark.painting.measure_painting`."""
        from streamseg.benchmark.painting import measure_painting

        return measure_painting()

    def following(self) -> list[dict[str, Any]]:
        """See :func:`streamseg.benchmark.following.measure_following`."""
        from streamseg.benchmark.following import measure_following

        return measure_following()

    def identities(self, seed: int) -> list[Identities]:
        """See :func:`streamseg.benchmark.identities.measure_identities`."""
        from streamseg.benchmark.identities import measure_identities

        return measure_identities(seed, self._segmenter, self._settings)

    def _on(self, clip: Path, frames: int) -> Settings:
        return replace(self._settings, source=(str(clip),), max_frames=frames)
