"""``streamseg train``: COCO-format data in, a checkpoint of one's own classes out."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamseg.errors import UserError
from streamseg.training.config import FLAGS

if TYPE_CHECKING:
    from streamseg.cli.train_progress import TrainProgress
    from streamseg.training.processes import Processes
    from streamseg.training.setup import Setup


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments: a flag for every setting of a recipe."""
    parser.add_argument("recipe", nargs="?", type=Path, help="TOML file with settings; flags win over it")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder for everything it writes")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
    parser.add_argument("--threads", type=_threads, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument("--data", action="append", metavar="FILE", help="COCO instance file to learn from; repeatable")
    groups: dict[str, Any] = {}
    for setting in FLAGS.values():
        rule = setting.rule
        if rule.group not in groups:
            groups[rule.group] = parser.add_argument_group(rule.group)
        details = [rule.allowed, f"default: {setting.default_text}" if setting.default_text else ""]
        told = "; ".join(detail for detail in details if detail)
        meaning = rule.meaning.rstrip(".")
        options: dict[str, Any] = {"dest": setting.name, "default": argparse.SUPPRESS}
        options["help"] = f"{meaning} ({told})" if told else meaning
        if setting.kind == "bool":
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["metavar"] = rule.metavar or {"int": "N", "float": "X"}.get(setting.kind, "WORD")
        groups[rule.group].add_argument(setting.flag, **options)


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit status. Ctrl-C ends the run after the step that it is in.

    Raises:
        UserError: The recipe, the data or the folder is not as it must be.
    """
    from streamseg.training.recipe import from_layers, read_flags, read_recipe

    layers = [read_recipe(args.recipe)] if args.recipe is not None else []
    layers.append(read_flags(vars(args)))
    if not args.resume:
        from_layers(*layers)  # says what is wrong before torch is loaded
    import torch

    from streamseg.training.processes import joined

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    device = next((layer["device"] for layer in reversed(layers) if "device" in layer), "auto")
    with joined(device) as processes:
        try:
            return _train(args, layers, processes)
        except UserError as error:
            if processes.first:
                raise
            raise SystemExit(2) from error  # the first process says it


def _train(args: argparse.Namespace, layers: list[dict[str, Any]], processes: Processes) -> int:
    from streamseg.cli.train_progress import TrainProgress
    from streamseg.training.recipe import from_layers
    from streamseg.training.setup import set_up
    from streamseg.training.state import read_state

    state = processes.once(lambda: read_state(args.output)) if args.resume else None
    config = from_layers(*([state["recipe"]] if state else []), *layers)
    setup = set_up(config, args.output, processes, state, lambda line: print(line, file=sys.stderr, flush=True))
    trainer = setup.trainer
    if processes.first:
        for line in _summary(setup):
            print(line, flush=True)
    stop = threading.Event()
    with args.interrupts.stopping(stop.set), contextlib.ExitStack() as stack:
        if not processes.first:
            # The first process alone validates; the others only have to know that it does.
            done = trainer.run(validate=_never if setup.validation is not None else None, stop=stop.is_set)
            return 0
        progress = stack.enter_context(TrainProgress(trainer.step, trainer.steps, trainer.schedule.batch_size))
        validator, validate = _validation(setup, progress)
        done = trainer.run(progress.step, validate, stop.is_set)
    if not done:
        print(f"stopped at step {trainer.step}; go on with: streamseg train --output {args.output} --resume")
        return 0
    return _finish(args.output, setup, validator)


def _finish(folder: Path, setup: Setup, validator: Any) -> int:
    from streamseg.training.loop import BEST, RESULT
    from streamseg.training.measure import write_run_page

    trainer, memory = setup.trainer, setup.trainer.memory
    if trainer.gave_up and trainer.step < trainer.steps:
        print(f"ended early at step {trainer.step}: {memory.worse} validations were no better")
    result = folder / RESULT
    if memory.best is not None:
        result = folder / BEST
        print(f"best mask AP {memory.best:.3f} at step {memory.best_step}")
    page = write_run_page(folder, f"{folder.resolve().name}: {trainer.model}", validator, memory.best_step)
    print(f"{page}: curves and pictures\n{result}: use it with --weights {result}")
    return 0


def _summary(setup: Setup) -> list[str]:
    from streamseg.training.setup import objects_of

    trainer, counts = setup.trainer, [objects_of(data) for data in setup.data]
    pictures = sum(len(data) for data in setup.data)
    objects = ", ".join(f"{sum(count.get(name, 0) for count in counts)} {name}" for name in trainer.class_names)
    epochs = trainer.steps * trainer.schedule.batch_size / pictures
    precision = str(trainer.precision).removeprefix("torch.")
    together = f" in {trainer.processes.world} processes" if trainer.processes.world > 1 else ""
    state = f"from step {trainer.step} " if trainer.step else ""
    return [
        *setup.notes,
        f"{trainer.model} from {setup.origin}",
        f"{pictures} pictures, objects: {objects}; {state}{trainer.steps} steps of {trainer.schedule.batch_size} "
        f"({epochs:.3g} epochs), device {trainer.processes.device}{together}, {precision}",
    ]


def _validation(setup: Setup, progress: TrainProgress) -> tuple[Any, Callable[[Path, int], Mapping[str, float]] | None]:
    if setup.validation is None:
        return None, None
    from streamseg.training.measure import Validator

    validator = Validator(setup.validation, str(setup.trainer.processes.device), progress.validating)

    def validate(weights: Path, step: int) -> Mapping[str, float]:
        figures = validator(weights, step)
        progress.validated(step, figures)
        return figures

    return validator, validate


def _never(weights: Path, step: int) -> Mapping[str, float]:
    raise AssertionError("the first process validates")


def _threads(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 1 or more")
    return int(text)
