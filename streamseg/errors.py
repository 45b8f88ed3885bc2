"""The errors that leave streamseg."""

from __future__ import annotations


class StreamsegError(Exception):
    """Base of every error that streamseg raises on purpose."""


class UserError(StreamsegError):
    """Something the user can put right; its text is one line: what, where, and what to do.

    The command line prints it without a traceback and exits with status 2.
    """


class Finished(UserError):
    """There is nothing to do: what was to be gone on with is whole. The command line says so and exits with 0."""


class Mismatch(UserError):
    """What was to be gone on with was made by a run that did something else."""


class StageError(StreamsegError):
    """A stage of the pipeline failed; the original exception is ``__cause__``.

    Attributes:
        stage: The stage's name, for example ``"decode street.mp4"``.
    """

    def __init__(self, stage: str, cause: BaseException) -> None:
        super().__init__(f"{stage}: {type(cause).__name__}: {cause}")
        self.stage = stage
        self.__cause__ = cause
