"""Every setting once: its name, type, default, unit, bounds and meaning.

The flags of the command line, the keys of a config file, the keyword arguments of ``streamseg.open`` and the table in
the README all come from the fields of ``Settings``; a setting has the same name everywhere (``score_threshold`` is
``--score-threshold`` on the command line). Importing this module imports nothing heavy.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamseg.errors import UserError
from streamseg.rules import checked, setting, settings_of

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@dataclass(frozen=True)
class Settings:
    """All settings of a run, checked.

    Every field may be given by keyword; values are checked as those of a config file are.

    Raises:
        UserError: A value of the wrong type or out of its bounds.
    """

    source: tuple[str, ...] = setting(
        (),
        "Input",
        "Video file, camera number, network stream, image, folder or glob; again for several.",
        metavar="WHAT",
    )
    stride: int = setting(
        1,
        "Input",
        "The model sees every n-th frame only; tracking tells where things are in those between.",
        unit="frames",
        low=1,
        high=30,
    )
    max_frames: int | None = setting(
        None,
        "Input",
        "Stop after this many frames of each source.",
        unit="frames",
        low=1,
        unset="all",
    )

    deinterlace: bool = setting(True, "Input", "Merge the two fields of interlaced video into whole pictures.")

    output: str | None = setting(
        None,
        "Output",
        "Annotated MP4 to write; for several sources a folder (there already, or ending in /).",
        metavar="FILE",
    )
    records: str | None = setting(
        None,
        "Output",
        "Records of all frames to write; - is standard output; a folder gets a file for each source.",
        metavar="FILE",
    )
    records_format: str = setting(
        "auto",
        "Output",
        "JSON lines, or rows of MOTChallenge or MOTS; auto: by the name, .txt is mot, all else jsonl.",
        choices=("auto", "jsonl", "mot", "mots"),
    )
    tracks: str | None = setting(
        None, "Output", "Table of all tracks to write at the end (CSV): label, times, path and more.", metavar="FILE"
    )
    show: bool | None = setting(
        None,
        "Output",
        "Show a window (q quits, space pauses, s saves); auto: when nothing is written.",
        unset="auto",
    )
    crf: int = setting(23, "Output", "Quality of the H.264 video; lower is better and larger.", low=0, high=51)
    preset: str = setting(
        "superfast", "Output", "Speed of the H.264 encoder; slower makes smaller files.", choices=PRESETS
    )
    resume: bool = setting(
        False, "Output", "Go on where an earlier run with the same settings broke off; begin where there was none."
    )
    overwrite: bool = setting(False, "Output", "Replace output files that exist.")

    model: str | None = setting(
        None,
        "Model",
        "Name from `streamseg models`; auto: the best that is there for the device.",
        unset="auto",
        metavar="NAME",
    )
    weights: str | None = setting(None, "Model", "Checkpoint file (.safetensors or .pth) instead.", metavar="FILE")
    class_names: tuple[str, ...] = setting(
        (),
        "Model",
        "Class names of the checkpoint, in order; default: those in the file.",
        comma=True,
        metavar="NAMES",
    )
    device: str = setting(
        "auto",
        "Model",
        "Where the model runs.",
        choices=("auto", "cpu", "cuda", "cuda:N", "mps"),
        pattern=r"auto|cpu|mps|cuda(:\d+)?",
    )
    precision: str = setting(
        "auto",
        "Model",
        "Number format of the model; auto: the fastest that is safe on the device.",
        choices=("auto", "fp32", "bf16", "fp16", "int8"),
    )
    batch_size: int | None = setting(
        None,
        "Model",
        "Frames per pass of the model; auto: 4 on a GPU, on a CPU 2, or 1 for large models.",
        unit="frames",
        low=1,
        high=256,
        unset="auto",
    )
    input_size: int | None = setting(
        None,
        "Model",
        "Short side of the picture that the model sees; auto: the model's own.",
        unit="pixels",
        low=64,
        high=4096,
        unset="auto",
    )
    score_threshold: float = setting(
        0.5,
        "Model",
        "Least score of an object; one being followed is kept down to half of it.",
        low=0,
        high=1,
    )
    classes: tuple[str, ...] = setting(
        (), "Model", "Keep these classes only; default: all.", comma=True, metavar="NAMES"
    )
    max_detections: int = setting(100, "Model", "Most objects in one frame.", unit="objects", low=1, high=1000)

    tracker: str = setting(
        "two_stage", "Tracking", "How objects are followed; none: they have no identity.", choices=("two_stage", "none")
    )
    track_lost_seconds: float = setting(
        1.0,
        "Tracking",
        "How long an object that is out of sight keeps its identity.",
        unit="seconds",
        low=0,
        high=60,
    )
    track_neutral_score: float | None = setting(
        None,
        "Tracking",
        "Score of detections of which half are right; surer ones speak for a track; auto: the model's own, else 0.9.",
        low=0.51,
        high=0.99,
        unset="auto",
    )
    track_masks: bool = setting(True, "Tracking", "Compare the masks of objects, not their boxes alone.")
    track_camera: bool = setting(True, "Tracking", "Find the camera's own motion in the picture.")
    track_appearance: bool = setting(True, "Tracking", "Compare the colours of objects.")
    track_delay: float = setting(
        1.0,
        "Tracking",
        "How long results of recorded footage wait to be bettered by what follows; live footage never waits.",
        unit="seconds",
        low=0,
        high=5,
    )

    mask_opacity: float = setting(0.45, "Look", "How much of an object its colour covers.", low=0, high=1)
    outlines: bool = setting(True, "Look", "Draw the outline of each object.")
    boxes: bool = setting(False, "Look", "Draw the box of each object.")
    labels: bool = setting(True, "Look", "Write class, identity and score beside each object.")
    trails: float = setting(
        0, "Look", "Draw where each object stood in the last seconds; 0: nowhere.", unit="seconds", low=0, high=60
    )

    codec: str = setting(
        "auto",
        "Running",
        "Who decodes and encodes video: an NVIDIA GPU's circuits or the CPU; auto: the GPU's where it has them.",
        choices=("auto", "hardware", "software"),
    )
    config: str | None = setting(
        None, "Running", "Read settings from this TOML file; flags win over it.", metavar="FILE"
    )
    quiet: bool = setting(False, "Running", "Show no progress; the closing summary stays.")

    def __post_init__(self) -> None:
        for one in SETTINGS.values():
            object.__setattr__(self, one.name, checked(one, getattr(self, one.name), one.name))

    @classmethod
    def gather(cls, given: Mapping[str, Any]) -> Settings:
        """Settings from defaults, then the file that ``given["config"]`` names, then ``given``.

        Raises:
            UserError: An unknown name, a wrong value, or a config file that cannot be read.
        """
        for name in given:
            if name not in SETTINGS:
                raise UserError(f"unknown setting {name!r}{_nearest(name)}")
        config = given.get("config")
        return cls(**{**(read_config(config) if config is not None else {}), **given})


SETTINGS = settings_of(Settings)


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The settings in a TOML file, checked.

    Raises:
        UserError: The file cannot be read, is no TOML, or holds an unknown key or a wrong value.
    """
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the config file {path}: {(error.strerror or str(error)).lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the config file {path} is not valid TOML: {' '.join(str(error).split())}") from None
    values = {}
    for name, value in content.items():
        if name == "config":
            raise UserError(f"config in {path}: a config file cannot name another; put everything into one file")
        if name not in SETTINGS:
            raise UserError(f"unknown setting {name!r} in {path}{_nearest(name)}")
        values[name] = checked(SETTINGS[name], value, f"{name} in {path}")
    return values


def settings_table() -> str:
    """Every setting as a Markdown table, for the README."""
    lines = ["| Setting | Flag | Default | Allowed | Meaning |", "| --- | --- | --- | --- | --- |"]
    group = ""
    for one in SETTINGS.values():
        if one.rule.group != group:
            group = one.rule.group
            lines.append(f"| **{group}** | | | | |")
        cells = (
            f"`{one.name}`",
            "`" + one.flags.replace(", ", "`, `") + "`",
            one.default_text,
            one.rule.allowed,
        )
        lines.append("| " + " | ".join((*cells, one.rule.meaning)) + " |")
    return "\n".join(lines)


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name.lower().replace("-", "_"), SETTINGS, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else "; see streamseg --help"
