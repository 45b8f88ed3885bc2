"""The training loop: steps, averaged weights, checkpoints that resume exactly."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from streamseg.errors import UserError
from streamseg.models.checkpoint import read_checkpoint, write_checkpoint
from streamseg.models.street import StreetMaskRCNN
from streamseg.segmenter import cpu_has_bf16
from streamseg.training.batches import Draws, batches
from streamseg.training.coco import CocoData
from streamseg.training.config import ScheduleConfig, TrainConfig
from streamseg.training.losses import compute_losses

STATE = "state.pt"
LOG = "log.csv"
RESULT = "model.safetensors"
SMOOTHING = 0.98


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: Steps done.
        steps: Steps in all.
        losses: Running means by name; ``loss`` is their weighted sum.
        seconds_per_step: Running mean.
    """

    step: int
    steps: int
    losses: dict[str, float]
    seconds_per_step: float


def learning_rate(schedule: ScheduleConfig, step: int) -> float:
    """The learning rate of step ``step``, from 0: linear warm-up, constant, linear to zero at the end."""
    decay_steps = max(1, round(schedule.steps * schedule.decay))
    up = min(1.0, (step + 1) / max(1, schedule.warmup))
    down = min(1.0, max(0.0, (schedule.steps - step) / decay_steps))
    return schedule.learning_rate * min(up, down)


class Trainer:
    """One run in one folder.

    Args:
        config: The recipe.
        folder: Holds the state to resume from, the log and the result; made if it is missing.
        device: Where to train.
        resume: Go on from the state in the folder; the recipe may have changed since.

    Raises:
        UserError: The folder holds another run and ``resume`` is not set, or data or weights do not fit.
    """

    def __init__(self, config: TrainConfig, folder: Path, device: torch.device, resume: bool = False) -> None:
        self.config, self.folder, self.device = config, folder, device
        self.data = [CocoData.read(item.file, item.folder) for item in config.data]
        self.class_names = self.data[0].class_names
        for data in self.data[1:]:
            if data.class_names != self.class_names:
                raise UserError(f"{data.file}: its classes {data.class_names} differ from {self.class_names}")
        torch.manual_seed(config.seed)
        self.network = StreetMaskRCNN(config.model, len(self.class_names))
        if config.weights is not None:
            start_from(self.network, config.weights)
        self.network.to(device, memory_format=torch.channels_last)
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(config.schedule.ema), use_buffers=True
        )
        self.optimizer = torch.optim.AdamW(_groups(self.network, config.schedule.weight_decay), fused=True)
        self.step = 0
        state = folder / STATE
        if resume:
            if not state.is_file():
                raise UserError(f"{folder}: nothing to resume, {STATE} is not there; start without --resume")
            self._load(torch.load(state, map_location=device, weights_only=True))
        elif state.exists():
            raise UserError(f"{folder}: holds a run already; go on with --resume or choose another folder")
        folder.mkdir(parents=True, exist_ok=True)

    def run(
        self,
        report: Callable[[Progress], None] = lambda progress: None,
        validate: Callable[[StreetMaskRCNN, int], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Trains to the last step, or until ``stop`` says so; either way the state and the result are written.

        Args:
            report: Called after every step.
            validate: Called with the averaged network in evaluation mode and the step, every so often and at the end.
            stop: Asked after every step; nothing is validated then.
        """
        config = self.config
        draws = Draws(
            self.data,
            [item.weight for item in config.data],
            config.augment,
            config.seed,
            config.schedule.steps * config.schedule.batch_size,
        )
        running: dict[str, float] = {}
        begun = time.monotonic()
        pace = 0.0
        for batch in batches(draws, config.schedule.batch_size, self.step, config.workers):
            losses = self._train_step(batch)
            self.step += 1
            now = time.monotonic()
            pace = now - begun if not pace else SMOOTHING * pace + (1 - SMOOTHING) * (now - begun)
            begun = now
            for name, value in losses.items():
                running[name] = SMOOTHING * running.get(name, value) + (1 - SMOOTHING) * value
            report(Progress(self.step, config.schedule.steps, dict(running), pace))
            if self.step % config.checkpoint_every == 0:
                self.save(running)
            if stop():
                self.save(running)
                return
            if validate is not None and self.step % config.validate_every == 0 and self.step < config.schedule.steps:
                validate(self.averaged(), self.step)
                begun = time.monotonic()
        self.save(running)
        if validate is not None:
            validate(self.averaged(), self.step)

    def averaged(self) -> StreetMaskRCNN:
        """The network with the averaged weights, in evaluation mode."""
        network = self.average.module
        assert isinstance(network, StreetMaskRCNN)
        return network.eval()

    def save(self, losses: dict[str, float]) -> None:
        """Writes the state to resume from, a line of the log, and the averaged weights."""
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        temporary = self.folder / f".{STATE}.part"
        torch.save(state, temporary)
        temporary.replace(self.folder / STATE)
        log = self.folder / LOG
        line = {"step": self.step, "learning_rate": learning_rate(self.config.schedule, self.step), **losses}
        fresh = not log.exists()
        with log.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(line))
            if fresh:
                writer.writeheader()
            writer.writerow({key: f"{value:.6g}" for key, value in line.items()})
        write_checkpoint(self.folder / RESULT, self.average.module.state_dict(), self.metadata())

    def metadata(self) -> dict[str, Any]:
        """What the result says of itself."""
        return {
            "architecture": "street",
            "config": self.network.config.to_dict(),
            "class_names": list(self.class_names),
            "steps": self.step,
            "schedule": asdict(self.config.schedule),
        }

    def _train_step(self, batch: Any) -> dict[str, float]:
        self.network.train()
        # torchvision's samplers draw from torch's global generator; a resumed run must draw the same.
        torch.manual_seed(self.config.seed * 1_000_003 + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config.schedule, self.step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bf16(self.device)):
            losses = compute_losses(self.network, batch, self.device)
        losses = {name: loss.float() for name, loss in losses.items()}
        total = sum(losses.values(), torch.zeros((), device=self.device))
        total = total + (self.config.schedule.semantic - 1) * losses["loss_semantic"]
        if not torch.isfinite(total):
            raise UserError(f"{self.folder}: the loss is {float(total)} at step {self.step}; lower the learning rate")
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.schedule.clip)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        return {"loss": total.item(), **{name: loss.item() for name, loss in losses.items()}}

    def _load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; unlike float16 it trains without loss scaling."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and cpu_has_bf16()


def start_from(network: StreetMaskRCNN, path: Path) -> None:
    """Loads every weight of a checkpoint that fits; the heads of other classes start anew.

    Raises:
        UserError: The checkpoint is unreadable or of another shape.
    """
    tensors = read_checkpoint(path).tensors
    own = network.state_dict()
    fitting = {
        name: value.to(own[name].dtype)
        for name, value in tensors.items()
        if name in own and value.shape == own[name].shape
    }
    if not any(name.startswith("backbone.") for name in fitting):
        raise UserError(f"{path}: no weight of its backbone fits this network; is it a `street` checkpoint?")
    network.load_state_dict(fitting, strict=False)


def _groups(network: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and filters, none for norms and biases."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
