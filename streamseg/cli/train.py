"""``streamseg train``: a recipe and COCO-format data in, a checkpoint out."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from streamseg.errors import UserError

if TYPE_CHECKING:
    from streamseg.models.street import StreetMaskRCNN
    from streamseg.training.config import TrainConfig
    from streamseg.training.loop import Progress, Trainer

REPORT_EVERY = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("recipe", type=Path, help="TOML recipe: data, model, augmentation, schedule (see configs/)")
    parser.add_argument("--output", type=Path, required=True, help="folder for checkpoints, log and result")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
    parser.add_argument("--weights", type=Path, help="checkpoint to start from, in place of the recipe's")
    parser.add_argument("--steps", type=int, help="batches in all, in place of the recipe's")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, … (default: auto)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit status. Ctrl-C ends the run after the step that it is in.

    Raises:
        UserError: The recipe, the data or the folder is not as it must be.
    """
    import torch

    from streamseg.segmenter import choose_device
    from streamseg.training.loop import RESULT, Trainer

    config = _recipe(args)
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    trainer = Trainer(config, args.output, choose_device(args.device), args.resume)
    print(f"{sum(len(data) for data in trainer.data)} pictures, classes {', '.join(trainer.class_names)}", flush=True)
    validate = None if config.validation is None else lambda network, step: _validate(network, step, config, trainer)
    stop = threading.Event()
    with args.interrupts.stopping(stop.set):
        trainer.run(_report, validate, stop.is_set)
    if stop.is_set():
        print(f"stopped at step {trainer.step}; go on with --resume")
        return 0
    print(f"{args.output / RESULT}: use it with --weights {args.output / RESULT}")
    return 0


def _recipe(args: argparse.Namespace) -> TrainConfig:
    from dataclasses import replace

    from streamseg.training.config import TrainConfig

    config = TrainConfig.read(args.recipe)
    if args.weights is not None:
        config = replace(config, weights=args.weights)
    if args.steps is not None:
        if args.steps < 1:
            raise UserError(f"--steps {args.steps}: must be at least 1")
        config = replace(config, schedule=replace(config.schedule, steps=args.steps))
    return config


def _report(progress: Progress) -> None:
    if progress.step % REPORT_EVERY and progress.step != progress.steps:
        return
    parts = " ".join(f"{name.removeprefix('loss_')} {value:.3f}" for name, value in progress.losses.items())
    left = (progress.steps - progress.step) * progress.seconds_per_step / 60
    pace = f"{progress.seconds_per_step:.2f} s each, {left:.0f} min left"
    print(f"step {progress.step}/{progress.steps}, {pace}: {parts}", flush=True)


def _validate(network: StreetMaskRCNN, step: int, config: TrainConfig, trainer: Trainer) -> None:
    from streamseg.cli.evaluate import print_precision
    from streamseg.evaluation.report import RANKING_THRESHOLD, evaluate_data
    from streamseg.models.detect import MaskRCNNDetector
    from streamseg.models.model import Model
    from streamseg.segmenter import Segmenter
    from streamseg.training.coco import CocoData

    assert config.validation is not None
    model = Model("street", MaskRCNNDetector(network), trainer.class_names, "averaged weights", "being trained")
    segmenter = Segmenter(model, device=str(trainer.device), score_threshold=RANKING_THRESHOLD)
    report = evaluate_data(segmenter, CocoData.read(config.validation))
    print(f"step {step}, validation:")
    print_precision(report.mask, report.box)
