"""Many files, one after the other: what happened to each, and a table at the end."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamseg.cli.signals import Interrupted, Interrupts
from streamseg.errors import Finished, Mismatch, StageError, UserError
from streamseg.pipeline.batch import Job

if TYPE_CHECKING:
    from streamseg.pipeline import Statistics
    from streamseg.pipeline.wiring import Plan
    from streamseg.segmenter import Segmenter

DONE, SKIPPED, FAILED, STOPPED = "done", "finished before", "failed", "stopped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file.

    Attributes:
        name: The source.
        state: One of the words above.
        statistics: Of its run; None where there was none.
        note: Why it failed, or what was lost.
    """

    name: str
    state: str
    statistics: Statistics | None = None
    note: str = ""


def run_batch(jobs: Sequence[Job], interrupts: Interrupts) -> int:
    """Process the files; everything for people goes to standard error.

    A file that fails does not keep the others from being done. Files that are finished are left alone, unless they are
    to be replaced; what an earlier run left unfinished is gone on with.

    Returns:
        0 where all went well, 1 where any failed.

    Raises:
        UserError: The model cannot be had, so that no file can be done.
    """
    from streamseg.pipeline.allocation import tidy_memory

    outcomes: list[Outcome] = []
    work = _Work(interrupts)
    with tidy_memory(), interrupts.raised():
        try:
            for job in jobs:
                outcomes.append(work.outcome(job))
                _say(outcomes[-1])
                if interrupts.status:
                    break
        except Interrupted:
            pass
    done = {outcome.name for outcome in outcomes}
    outcomes += [Outcome(job.name, "not begun") for job in jobs if job.name not in done]
    _table(outcomes)
    return 1 if any(outcome.state == FAILED for outcome in outcomes) else 0


class _Work:
    """Does one file after the other with the same model."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._segmenter: Segmenter | None = None

    def outcome(self, job: Job) -> Outcome:
        """Do one file."""
        try:
            job.make_folders()
            try:
                return self._done(job, resume=not job.settings.overwrite)
            except Mismatch:
                if job.settings.resume:
                    raise
                return self._done(job, resume=False)
        except Finished:
            return Outcome(job.name, SKIPPED)
        except _NoModel as error:
            raise error.reason from None
        except UserError as error:
            return Outcome(job.name, FAILED, note=str(error))
        except StageError as error:
            traceback.print_exception(error.__cause__ or error, file=sys.stderr)
            return Outcome(job.name, FAILED, note=f"{error}; this is a bug, please report it with the lines above")

    def _done(self, job: Job, resume: bool) -> Outcome:
        from streamseg.cli.run import progress
        from streamseg.pipeline.wiring import Plan

        overwrite = job.settings.overwrite or not resume
        settings = replace(job.settings, resume=resume, overwrite=overwrite)
        with Plan(settings, leave_parts=True) as plan:
            pipeline = plan.pipeline(self._model(plan))
            statistics = pipeline.statistics
            with self._interrupts.stopping(pipeline.interrupt), progress(settings, statistics):
                pipeline.run()
        return Outcome(job.name, STOPPED if self._interrupts.status else DONE, statistics)

    def _model(self, plan: Plan) -> Segmenter:
        """The model, loaded with the first file that can be opened."""
        if self._segmenter is None:
            plan.import_everything()
            try:
                self._segmenter = plan.load()
            except UserError as error:
                raise _NoModel(error) from None
            print(f"streamseg: {self._segmenter.description}", file=sys.stderr, flush=True)
        return self._segmenter


class _NoModel(Exception):
    """The model cannot be had, which is no fault of the file."""

    def __init__(self, reason: UserError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _say(outcome: Outcome) -> None:
    """A line for a file, and lines for what is worth knowing of it."""
    from streamseg.cli.summary import counts

    statistics = outcome.statistics
    if statistics is None:
        note = f"{outcome.name}: {outcome.state}" if not outcome.note else outcome.note
        print(f"streamseg: {note}", file=sys.stderr, flush=True)
        return
    notes = [f"{outcome.name}: {counts(statistics)}"]
    notes += [f"{outcome.name}: {note}" for stream in statistics.streams for note in stream.notes]
    notes += [f"{outcome.name}: {note}" for note in statistics.notes if not note.startswith("wrote ")]
    print("\n".join(notes), file=sys.stderr, flush=True)


def _table(outcomes: Sequence[Outcome]) -> None:
    from streamseg.cli.summary import duration, losses
    from streamseg.cli.tables import show_table

    rows = []
    for outcome in outcomes:
        statistics, note = outcome.statistics, outcome.note.removeprefix(f"{outcome.name}: ")
        cells = ["", ""]
        if statistics is not None:
            frames = statistics.frames + sum(stream.resumed for stream in statistics.streams)
            cells = [str(frames), duration(statistics.seconds)]
            note = losses(statistics.streams)
        rows.append((outcome.name, (outcome.state, *cells, note)))
    show_table(
        "Files", ("", "frames", "time", "lost or wrong"), rows, first="file", words=("", "lost or wrong"), to_error=True
    )
