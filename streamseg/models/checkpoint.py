"""Checkpoints of the ``street`` architecture: safetensors that say what they are."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from streamseg.errors import UserError


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Weights and what the file says about them.

    Attributes:
        path: The file.
        tensors: By name, on the CPU.
        metadata: What the file says of itself: for streamseg's own ``architecture``, ``config`` and ``class_names``.
    """

    path: Path
    tensors: dict[str, torch.Tensor]
    metadata: dict[str, Any]

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The class names in the file, background not among them; None where it has none."""
        names = self.metadata.get("class_names")
        return None if names is None else tuple(names)

    @property
    def neutral_score(self) -> float | None:
        """What the file says of the score of detections of which half are right; None where it says nothing.

        Raises:
            UserError: It is no number above 0.5 and below 1.
        """
        score = self.metadata.get("neutral_score")
        if score is not None and not (isinstance(score, float) and 0.5 < score < 1):
            raise UserError(f"{self.path}: its neutral_score is {score!r}; it must be a number above 0.5 and below 1")
        return score


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a ``.safetensors`` file or a ``.pth``/``.pt`` file of plain tensors; nothing in it is executed.

    In a ``.pth`` file the weights may lie under ``model`` or ``state_dict``, and a list ``class_names`` beside them.

    Raises:
        UserError: The file is missing, unreadable, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; give --weights a .safetensors or .pth file")
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)


def embedded_street() -> Checkpoint:
    """The weights of the ``street`` model that are in the package."""
    with resources.as_file(resources.files("streamseg.models") / "weights" / "street.safetensors") as path:
        return read_checkpoint(path)


def _read_safetensors(path: Path) -> Checkpoint:
    try:
        with safe_open(path, "pt") as file:
            metadata = {key: _parsed(value) for key, value in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({str(error).splitlines()[0]})") from error
    return Checkpoint(path, tensors, metadata)


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _read_torch(path: Path) -> Checkpoint:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, zip, EOF, key and runtime errors for files it cannot read
        told = isinstance(error, (RuntimeError, pickle.UnpicklingError, OSError)) and str(error).strip()
        reason = str(error).strip().splitlines()[0][:160] if told else "it is damaged, or something else"
        raise UserError(f"{path}: not a checkpoint of plain tensors ({reason})") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: not a checkpoint: holds a {type(content).__name__}, not weights by name")
    weights = content
    for key in ("model", "state_dict"):
        if isinstance(weights.get(key), Mapping):
            weights = weights[key]
            break
    tensors = {name: value for name, value in weights.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise UserError(f"{path}: no weights in it; expected tensors by name, or under `model` or `state_dict`")
    names = content.get("class_names", content.get("classes"))
    metadata = {"class_names": list(names)} if isinstance(names, Sequence) and not isinstance(names, str) else {}
    return Checkpoint(path, tensors, metadata)


def write_checkpoint(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any], half: bool = True
) -> None:
    """Writes a ``.safetensors`` file, whole or not at all.

    Args:
        path: The file; its folder must exist.
        tensors: Weights by name.
        metadata: JSON values by name.
        half: Store floating-point weights as float16.
    """

    def stored(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.detach().cpu().contiguous()
        return tensor.half() if half and tensor.is_floating_point() else tensor

    temporary = path.with_name(f".{path.name}.part")
    text = {key: json.dumps(value) for key, value in metadata.items()}
    content = save({name: stored(tensor) for name, tensor in tensors.items()}, text)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # before it takes the place of an older one
    temporary.replace(path)


def amend_checkpoint(path: Path, metadata: Mapping[str, Any]) -> None:
    """Adds to what a ``.safetensors`` file says of itself; its weights stay as they are, to the last bit.

    Args:
        path: The file, replaced whole or not at all.
        metadata: JSON values by name.

    Raises:
        UserError: It cannot be read.
    """
    checkpoint = read_checkpoint(path)
    write_checkpoint(path, checkpoint.tensors, {**checkpoint.metadata, **metadata}, half=False)
