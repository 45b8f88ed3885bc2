"""Files of an evaluation."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from streamseg.sinks.staging import cannot_write


def write_whole(path: Path, text: str) -> None:
    """Writes a text file that appears under its name when it is whole; an older one is replaced.

    Raises:
        UserError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="")
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise cannot_write(path, error) from None
