"""The main job: sources in, annotated video, window and records out."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from streamseg.cli.signals import Interrupts
from streamseg.errors import UserError
from streamseg.settings import Settings

if TYPE_CHECKING:
    from streamseg.pipeline import Statistics


def run(settings: Settings, interrupts: Interrupts) -> int:
    """Process the sources; everything for people goes to standard error.

    Raises:
        UserError: Something that the user can put right.
        StageError: A stage failed.
    """
    if not settings.source:
        raise UserError("no source given; name a video, a camera's number or a stream: --source WHAT")
    from streamseg.pipeline.batch import jobs_of

    jobs = jobs_of(settings)
    if jobs is not None:
        from streamseg.cli.batch import run_batch

        return run_batch(jobs, interrupts)
    from streamseg.cli.summary import summary
    from streamseg.pipeline.allocation import tidy_memory
    from streamseg.pipeline.wiring import Plan

    with tidy_memory(), Plan(settings, window_by_default=True) as plan:
        plan.import_everything()
        with interrupts.raised():
            segmenter = plan.load()
            print(f"streamseg: {segmenter.description}", file=sys.stderr, flush=True)
            pipeline = plan.pipeline(segmenter)
            with interrupts.stopping(pipeline.interrupt):
                try:
                    with progress(settings, pipeline.statistics):
                        pipeline.run()
                finally:
                    if pipeline.error is None or pipeline.statistics.frames:
                        print(summary(pipeline.statistics), file=sys.stderr, flush=True)
    return 0


def progress(settings: Settings, statistics: Statistics) -> contextlib.AbstractContextManager[object]:
    """Shows how a run goes on for the time of ``with``, unless the settings want quiet."""
    from streamseg.cli.progress import Progress

    return contextlib.nullcontext() if settings.quiet else Progress(statistics)
