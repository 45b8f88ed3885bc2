"""The command line: reads what the user wants, calls it, says what went wrong.

Nothing here or in ``flags`` and ``commands`` imports anything heavy: help and mistakes cost no start of the network.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from streamseg.cli.signals import Interrupts
from streamseg.errors import Finished, StageError, UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The words after the program's name; None for those of this process.

    Returns:
        The exit status: 0, 1 after a failure inside streamseg, 2 after a mistake that the user can put right, 130 or
        143 after Ctrl-C or SIGTERM, 141 where the reader of standard output, as ``head``, had enough.
    """
    interrupts = Interrupts()
    with interrupts:
        from streamseg.cli.commands import dispatch

        try:
            status = dispatch(list(sys.argv[1:] if argv is None else argv), interrupts)
            sys.stdout.flush()
        except Finished as error:
            print(f"streamseg: {error}", file=sys.stderr)
            status = 0
        except UserError as error:
            print(f"streamseg: {error}", file=sys.stderr)
            status = 2
        except StageError as error:
            _report(error)
            status = 1
        except KeyboardInterrupt:
            status = 130
        except BrokenPipeError:
            # What is still in the buffer would raise again when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 141
        return interrupts.status or status


def _report(error: StageError) -> None:
    """A failure that is nobody's mistake but ours: everything that helps to find it."""
    import traceback

    traceback.print_exception(error.__cause__ or error, file=sys.stderr)
    print(f"streamseg: {error}; this is a bug, please report it with the lines above", file=sys.stderr)
