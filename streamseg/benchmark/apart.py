"""An object that lives in a process of its own."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import signal
import traceback
from multiprocessing.connection import Connection
from typing import Any

from streamseg.errors import StageError, UserError


class Apart:
    """Calls the methods of an object in a fresh process, whose memory and threads are then nobody else's.

    Arguments and answers are pickled. Ctrl-C reaches the caller alone, whose ``with`` ends the process.

    Args:
        factory: ``module:callable`` that makes the object; imported in the other process only.
        arguments: What it is called with.
        name: What an error calls it.

    Raises:
        UserError: The factory raised it, or the process was killed.
        StageError: The factory raised anything else.
    """

    def __init__(self, factory: str, *arguments: Any, name: str) -> None:
        self._name = name
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, factory, arguments), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()

    def call(self, method: str, *arguments: Any) -> Any:
        """What ``method`` of the object returns.

        Raises:
            UserError: The method raised it, or the process was killed.
            StageError: The method raised anything else.
        """
        self._connection.send((method, arguments))
        return self._answer()

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.terminate()
        self._process.join()

    def _answer(self) -> Any:
        try:
            answer, error, trace = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            raise UserError(
                f"the process of {self._name} was ended from outside (status {self._process.exitcode}); "
                "if memory ran out, try a smaller --size or --batch-size"
            ) from None
        if error is not None:
            raise UserError(error)
        if trace is not None:
            raise StageError(self._name, RuntimeError(trace))
        return answer


def _serve(connection: Connection, factory: str, arguments: tuple[Any, ...]) -> None:
    """Make the object and answer calls until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    module, _, name = factory.partition(":")
    with contextlib.suppress(EOFError, ConnectionError):
        served = _outcome(lambda: getattr(importlib.import_module(module), name)(*arguments))
        connection.send((None, *served[1:]))
        while True:
            method, arguments = connection.recv()
            connection.send(_outcome(lambda: getattr(served[0], method)(*arguments)))  # noqa: B023  # called at once


def _outcome(action: Any) -> tuple[Any, str | None, str | None]:
    """What the action returns, or the text of its UserError, or the trace of any other exception."""
    try:
        return action(), None, None
    except UserError as error:
        return None, str(error), None
    except Exception:
        return None, None, traceback.format_exc()
