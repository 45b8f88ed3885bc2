"""What one sees while a network is trained: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TextIO

from streamseg.cli.summary import duration
from streamseg.training.loop import Progress

_LINE_EVERY = 20  # steps
_SMOOTHING = 0.95


class TrainProgress:
    """Shows a run on ``stream`` for the time of ``with``.

    Args:
        begin: The step that it stands at.
        steps: Steps in all.
        batch_size: Pictures per step.
        stream: Where to; None for standard output.
    """

    def __init__(self, begin: int, steps: int, batch_size: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._begin, self._steps, self._batch_size = begin, steps, batch_size
        self._losses: dict[str, float] = {}
        self._pace = 0.0
        self._mark = time.monotonic()
        self._figure = ""
        self._bar = None
        if self._stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
            self._bar = Bar(*columns, console=Console(file=self._stream), transient=True)
            self._task = self._bar.add_task("train", total=steps, completed=begin, state="")

    def __enter__(self) -> TrainProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Prints a line, above the bar where there is one."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=self._stream, flush=True)

    def step(self, progress: Progress) -> None:
        """Takes in a step."""
        now = time.monotonic()
        done = progress.step - self._begin
        took, self._mark = now - self._mark, now
        # The first step builds what later ones reuse.
        self._pace = took if done <= 2 else _SMOOTHING * self._pace + (1 - _SMOOTHING) * took
        for name, value in progress.losses.items():
            self._losses[name] = _SMOOTHING * self._losses.get(name, value) + (1 - _SMOOTHING) * value
        if self._bar is not None:
            self._bar.update(self._task, completed=progress.step, state=self._line(progress, parts=False))
        elif progress.step % _LINE_EVERY == 0 or done == 2 or progress.step == self._steps:
            self.say(self._line(progress, parts=True))

    def _line(self, progress: Progress, parts: bool) -> str:
        speed = self._batch_size / self._pace if self._pace else 0.0
        left = duration((self._steps - progress.step) * self._pace)
        names = self._losses if parts else ("loss",)
        losses = " ".join(f"{name.removeprefix('loss_')} {self._losses[name]:.3f}" for name in names)
        rate = f"learning rate {progress.learning_rate:.2g}"
        head = f"step {progress.step}/{self._steps}, {speed:.1f} pictures/s, {left} left: {losses}, {rate}"
        return f"{head}, {self._figure}" if self._figure else head

    def validating(self, done: int, pictures: int) -> None:
        """Takes in a picture of a validation."""
        if self._bar is not None:
            self._bar.update(self._task, state=f"validating {done}/{pictures}")

    def validated(self, step: int, figures: Mapping[str, float]) -> None:
        """Takes in the figures of a validation."""
        self._figure = f"mask AP {figures['mask_ap']:.3f}"
        classes = {name: value for name, value in figures.items() if name.startswith("mask_ap ")}
        by_class = ", ".join(f"{name.removeprefix('mask_ap ')} {value:.3f}" for name, value in classes.items())
        self.say(
            f"step {step}, validation: mask AP {figures['mask_ap']:.3f} (AP50 {figures['mask_ap50']:.3f}), "
            f"box AP {figures['box_ap']:.3f}; mask AP by class: {by_class}"
        )
        self._mark = time.monotonic()
