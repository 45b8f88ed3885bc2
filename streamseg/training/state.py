"""What a run needs to go on exactly where it was: written whole or not at all, read as data."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from streamseg.errors import UserError
from streamseg.sinks.staging import cannot_write

STATE = "state.pt"
PARTS = (
    "recipe",
    "class_names",
    "processes",
    "pictures",
    "norm_epsilon",
    "step",
    "network",
    "average",
    "optimizer",
    "scaler",
    "sums",
    "memory",
)
# With others the state could not be loaded, or they would mean nothing.
BINDING = ("model", "weights", "street", "trainable_layers", "optimizer", "class_names")
# These change nothing about the steps.
FREE = ("workers", "device", "validate_every", "patience", "checkpoint_every", "skip_faults")


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes the state to the disk and only then puts it in place of the last one.

    Raises:
        UserError: It cannot be written; the last one is still there.
    """
    path, temporary = folder / STATE, folder / f".{STATE}.part"
    try:
        with temporary.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(folder)
    except (OSError, RuntimeError) as error:
        # torch tells of a full disk in its own words; the system's are in the exception before.
        reason = error if isinstance(error, OSError) else error.__context__ or error
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise cannot_write(path, reason, "a checkpoint before it stays whole; ") from error


def sync_folder(folder: Path) -> None:
    """Makes a renaming in the folder survive a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_state(folder: Path) -> dict[str, Any]:
    """The state of the run in ``folder``, on the CPU; nothing in it is executed.

    Raises:
        UserError: There is none, or it is damaged.
    """
    path = folder / STATE
    if not path.is_file():
        raise UserError(f"{folder}: nothing to resume, {STATE} is not there; start without --resume")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, zip, EOF, key and runtime errors for files it cannot read
        raise UserError(f"{path}: damaged, or not a training state; start anew in another folder") from error
    if not isinstance(state, dict) or any(part not in state for part in PARTS):
        raise UserError(f"{path}: not a training state of this streamseg; start anew in another folder")
    return state


def compare(before: Mapping[str, Any], after: Mapping[str, Any], folder: Path) -> str:
    """What changed between two recipes (plain values by name), in one line; empty where nothing of weight did.

    Raises:
        UserError: The state of the one cannot go on under the other.
    """

    def shown(value: Any) -> str:
        text = str(value)
        return text if len(text) <= 40 else f"{text[:37]}..."

    changed = [name for name in after if before.get(name) != after[name]]
    for name in changed:
        if name in BINDING:
            was, now = shown(before.get(name)), shown(after[name])
            raise UserError(
                f"{folder}: was begun with {name} {was}, not {now}; resume with the same or choose another --output"
            )
    told = [f"{name} ({shown(before.get(name))} -> {shown(after[name])})" for name in changed if name not in FREE]
    return f"resuming with changed {', '.join(told)}; the curve is not that of one recipe" if told else ""
