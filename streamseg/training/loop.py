"""The training loop: steps, averaged weights, validations, checkpoints that resume exactly."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from streamseg.errors import UserError
from streamseg.sinks.staging import cannot_write
from streamseg.training.augment import AugmentConfig
from streamseg.training.batches import Batch, Draws, batches
from streamseg.training.coco import CocoData
from streamseg.training.config import TrainConfig
from streamseg.training.journal import Journal
from streamseg.training.losses import compute_losses
from streamseg.training.networks import norm_epsilon, train_mode, value_ranges, write_network
from streamseg.training.optimisation import make_average, make_optimizer, training_precision
from streamseg.training.processes import Processes
from streamseg.training.schedule import learning_rate
from streamseg.training.start import Start
from streamseg.training.state import write_state

RESULT, BEST = "model.safetensors", "best.safetensors"
LOG_EVERY = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after a step.

    Attributes:
        step: Steps done.
        steps: Steps in all.
        learning_rate: Of the step.
        losses: Of the step, by name; ``loss`` is their weighted sum.
    """

    step: int
    steps: int
    learning_rate: float
    losses: dict[str, float]


@dataclass(slots=True)
class Memory:
    """What validations have shown so far.

    Attributes:
        validated: The step of the last one.
        best: The best mask AP; None before the first.
        best_step: Its step.
        worse: Validations since then.
    """

    validated: int = 0
    best: float | None = None
    best_step: int = 0
    worse: int = 0

    def add(self, step: int, ap: float) -> bool:
        """Takes in a validation; returns whether it is the best so far. NaN, where there is no truth, never is."""
        self.validated = step
        better = ap > (-1.0 if self.best is None else self.best)
        if better:
            self.best, self.best_step, self.worse = ap, step, 0
        else:
            self.worse += 1
        return better


class Trainer:
    """One run in one folder.

    Args:
        config: The completed recipe.
        start: The network to train.
        data: What to train on.
        folder: Holds the state to resume from, the curves and the result; made if it is missing.
        processes: This process among those that train together.
        state: Of :func:`streamseg.training.state.read_state`, to go on from.

    Raises:
        UserError: The folder cannot be written, the state does not fit, or the batches cannot be shared out.
    """

    def __init__(
        self,
        config: TrainConfig,
        start: Start,
        data: Sequence[CocoData],
        folder: Path,
        processes: Processes,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self.config, self.data, self.folder, self.processes = config, list(data), folder, processes
        self.schedule = config.schedule
        self.steps = self.schedule.steps or 0
        self.class_names = self.data[0].class_names
        self.model, device = start.model, processes.device
        if self.schedule.batch_size % processes.world:
            raise UserError(f"batch_size {self.schedule.batch_size}: must be a multiple of {processes.world} processes")
        self.network = start.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = make_average(self.network, self.schedule.ema)
        self.optimizer = make_optimizer(self.network, self.schedule)
        self.precision = training_precision(config.precision, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == torch.float16)
        self.step = 0
        self.memory = Memory()
        self._sums: dict[str, float] = {}
        if state is not None:
            self._load(state)
        if processes.first:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot_write(folder, error) from error
            self.journal = Journal(folder, self.step, self.memory.validated)

    def run(
        self,
        report: Callable[[Progress], None] = lambda progress: None,
        validate: Callable[[Path, int], Mapping[str, float]] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Trains to the last step, until patience runs out, or until ``stop`` says so.

        However it ends, state and result are written.

        Args:
            report: Called after every step.
            validate: Given a checkpoint file and the step, every so often and at the end, in the first process only;
                returns figures by name, ``mask_ap`` among them.
            stop: Asked at every step.

        Returns:
            Whether the run is over; False where ``stop`` ended it.
        """
        config, schedule, processes = self.config, self.schedule, self.processes
        if validate is not None and self._validation_is_due():
            self.save()
            self._validate(validate)
        weights = [item.weight for item in config.data]
        augment = AugmentConfig(**(config.augment or {}))
        draws = Draws(self.data, weights, augment, config.seed, self.steps * schedule.batch_size)
        loader = batches(draws, schedule.batch_size, self.step, config.workers, processes.rank, processes.world)
        while self.step < self.steps and not self.gave_up:
            losses, stopping = self._train_step(next(loader), stop())
            rate = learning_rate(schedule, self.step)
            self.step += 1
            self._note(losses, rate)
            report(Progress(self.step, self.steps, rate, losses))
            validating = validate is not None and self._validation_is_due()
            if stopping or validating or self.step % config.checkpoint_every == 0 or self.step == self.steps:
                self.save()
            if stopping:
                return False
            if validate is not None and validating:
                self._validate(validate)
        return True

    @property
    def gave_up(self) -> bool:
        """Whether the last ``patience`` validations were no better than the best."""
        return 0 < self.config.patience <= self.memory.worse

    def save(self) -> None:
        """Writes the averaged weights and the state to resume from.

        Raises:
            UserError: They cannot be written.
        """
        if not self.processes.first:
            return
        averaged = self.average.module
        assert isinstance(averaged, GeneralizedRCNN)
        told: dict[str, Any] = {"steps": self.step, "recipe": self.config.to_dict()}
        if ranges := value_ranges(averaged, self.data):
            told["ranges"] = ranges
        write_network(self.folder / RESULT, averaged, self.model, self.class_names, told)
        self._save_state()

    def _save_state(self) -> None:
        if not self.processes.first:
            return
        state = {
            "recipe": self.config.to_dict(),
            "class_names": list(self.class_names),
            "processes": self.processes.world,
            "pictures": sum(len(data) for data in self.data),
            "norm_epsilon": norm_epsilon(self.network),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "sums": self._sums,
            "memory": asdict(self.memory),
        }
        write_state(self.folder, state)

    def _load(self, state: Mapping[str, Any]) -> None:
        try:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            if state["scaler"] and self.scaler.is_enabled():
                self.scaler.load_state_dict(state["scaler"])
            self.step, self._sums, self.memory = int(state["step"]), dict(state["sums"]), Memory(**state["memory"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise UserError(f"{self.folder}: its state does not fit this recipe ({reason})") from error

    def _train_step(self, batch: Batch, stop: bool) -> tuple[dict[str, float], bool]:
        """One step; returns the losses, and whether any process wants to stop."""
        device, processes = self.processes.device, self.processes
        train_mode(self.network)
        # torchvision's samplers draw from torch's global generator; a resumed run must draw the same.
        torch.manual_seed(self.config.seed * 1_000_003 + self.step * processes.world + processes.rank)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.schedule, self.step)
        with torch.autocast(device.type, self.precision, enabled=self.precision != torch.float32):
            losses = compute_losses(self.network, batch, device)
        total = torch.stack([loss * self._weight(name) for name, loss in losses.items()]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()
        told = torch.stack([total, *losses.values(), total.new_tensor(float(stop))]).detach()
        processes.average([*self._shared(), told])
        values = told.tolist()
        if not math.isfinite(values[0]):
            advice = "lower learning_rate, or try precision fp32"
            raise UserError(f"{self.folder}: the loss is {values[0]} at step {self.step}; {advice}")
        self.scaler.unscale_(self.optimizer)
        if self.schedule.clip:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.schedule.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update_parameters(self.network)
        return dict(zip(["loss", *losses], values, strict=False)), values[-1] > 0

    def _weight(self, name: str) -> float:
        return self.schedule.semantic if name == "loss_semantic" else 1.0

    def _shared(self) -> list[torch.Tensor]:
        """What the processes average after the backward pass: gradients, and the statistics of norms."""
        if self.processes.world == 1:
            return []
        shared = [buffer for buffer in self.network.buffers() if buffer.is_floating_point()]
        for parameter in self.network.parameters():
            if parameter.requires_grad:
                if parameter.grad is None:  # this process's pictures said nothing about it, another's may
                    parameter.grad = torch.zeros_like(parameter)
                shared.append(parameter.grad)
        return shared

    def _note(self, losses: Mapping[str, float], rate: float) -> None:
        """Adds to the means of the next row of the log, and writes it when its time has come."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._sums["steps"] = self._sums.get("steps", 0.0) + 1
        if self.step % LOG_EVERY and self.step != self.steps:
            return
        count = self._sums.pop("steps")
        means = {name: value / count for name, value in self._sums.items()}
        self._sums = {}
        if self.processes.first:
            self.journal.losses(self.step, {"learning_rate": rate, **means})

    def _validation_is_due(self) -> bool:
        every = self.config.validate_every or self.steps
        due = self.step > 0 and (self.step % every == 0 or self.step == self.steps)
        return due and self.memory.validated != self.step

    def _validate(self, validate: Callable[[Path, int], Mapping[str, float]]) -> None:
        """Validates the file that one gets, just saved, and remembers what it showed."""

        def work() -> dict[str, Any]:
            figures = validate(self.folder / RESULT, self.step)
            if self.memory.add(self.step, figures["mask_ap"]):
                _copy(self.folder / RESULT, self.folder / BEST)
            self.journal.figures(self.step, figures)
            return asdict(self.memory)

        self.memory = Memory(**self.processes.once(work))
        self._save_state()


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, temporary)
        temporary.replace(target)
    except OSError as error:
        raise cannot_write(target, error, "a checkpoint before it stays whole; ") from error
