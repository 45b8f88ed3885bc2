"""The library's front door: ``streamseg.open``."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from streamseg.pipeline.core import Pipeline
from streamseg.pipeline.statistics import Statistics
from streamseg.pipeline.wiring import Plan
from streamseg.result import Result
from streamseg.settings import Settings

Spec = str | int | os.PathLike[str]


class Stream:
    """Results of a source, frame by frame; made by ``streamseg.open``.

    Iterate over it once. Leaving the loop or the ``with`` early stops everything; so does forgetting it.

    Attributes:
        statistics: What has been done so far; complete after ``close``.
        class_names: What the model can find.
        description: One line: which model, device and precision were chosen, and why.
    """

    def __init__(self, pipeline: Pipeline, class_names: Sequence[str], description: str) -> None:
        self._pipeline = pipeline
        self.class_names = tuple(class_names)
        self.description = description
        # Threads hold the pipeline, not this object: when the user lets go of it, or the interpreter ends, they stop.
        self._finalizer = weakref.finalize(self, pipeline.close)

    @property
    def statistics(self) -> Statistics:
        """What has been done so far; complete after ``close``."""
        return self._pipeline.statistics

    def __iter__(self) -> Iterator[Result]:
        yield from self._pipeline  # a generator of this object, so that the stream lives as long as the loop

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.close()
        if kind is None and self._pipeline.error is not None:
            raise self._pipeline.error

    def close(self) -> None:
        """Stop where still running; returns when every file is finished. May be called again."""
        self._finalizer()


def open(source: Spec | Sequence[Spec], **settings: Any) -> Stream:
    """Open a source, or several, and find and follow the objects in it.

    Sources open and the model loads at once; frames are processed from the first step of the iteration on, in threads
    of their own, a few frames ahead of the caller. With several sources the results interleave;
    ``result.frame.source`` tells which one a frame is from.

    Args:
        source: A video file, a camera's number, a stream's URL, an image, a folder, a glob; or a sequence of these.
        settings: Any other setting by its name, see ``streamseg.Settings``; ``config`` names a TOML file with more.

    Returns:
        A stream of ``streamseg.Result``; use it in ``with``. Models that find objects fill ``result.instances``, those
        that find regions ``result.regions``.

    Raises:
        UserError: A source, an output, a setting or the model is not to be had; the text is one line that says what
            to do.

    Example:
        >>> import streamseg
        >>> with streamseg.open("samples/street.mp4", model="street", max_frames=3) as stream:
        ...     for result in stream:
        ...         print(result.frame.index, round(result.frame.seconds, 2), result.annotated().shape)
        0 0.0 (720, 1280, 3)
        1 0.03 (720, 1280, 3)
        2 0.07 (720, 1280, 3)
        >>> len(result.instances.boxes) == len(result.instances.ids) == len(result.instances.names)
        True
        >>> stream.statistics.frames
        3
    """
    several = isinstance(source, Sequence) and not isinstance(source, str)
    with Plan(Settings.gather({**settings, "source": source if several else [source]})) as plan:
        segmenter = plan.load()
        return Stream(plan.pipeline(segmenter), segmenter.class_names, segmenter.description)
