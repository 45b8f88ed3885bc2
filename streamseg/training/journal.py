"""The curves of a run, as CSV files and, where TensorBoard is installed, as its event files."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamseg.evaluation.files import write_whole
from streamseg.sinks.staging import cannot_write

LOG, VALIDATION = "log.csv", "validation.csv"


class CsvLog:
    """A CSV file with a row for some of the steps, in order.

    Args:
        path: The file; begun anew where it does not belong to the run.
        step: The step that the run stands at; later rows are of steps that a kill took back, and are cut.

    Raises:
        UserError: The file cannot be written.
    """

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self._columns: list[str] = []
        rows = [row for row in read_rows(path) if row["step"] <= step] if step else []
        text = io.StringIO()
        if rows:
            self._columns = list(rows[0])
            writer = csv.DictWriter(text, self._columns)
            writer.writeheader()
            writer.writerows({name: _text(value) for name, value in row.items()} for row in rows)
        write_whole(path, text.getvalue())

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Appends a row.

        Raises:
            UserError: The file cannot be written.
        """
        row = {"step": step, **values}
        try:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, self._columns or list(row))
                if not self._columns:
                    writer.writeheader()
                    self._columns = list(row)
                writer.writerow({name: _text(value) for name, value in row.items()})
        except OSError as error:
            raise cannot_write(self.path, error) from error


def read_rows(path: Path) -> list[dict[str, float]]:
    """The whole rows of a log in which every value is a number; none where there is no file."""
    rows = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                try:
                    rows.append({name: float(value) for name, value in row.items()})
                except (TypeError, ValueError):
                    break  # a kill cut this row off
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return [row for row in rows if "step" in row]


def _text(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.9g}"


class Journal:
    """Where a run writes its curves.

    Args:
        folder: Of the run.
        step: The step that it stands at.
        validated: The step of its last validation.

    Raises:
        UserError: A file cannot be written.
    """

    def __init__(self, folder: Path, step: int, validated: int) -> None:
        self._losses = CsvLog(folder / LOG, step)
        self._figures = CsvLog(folder / VALIDATION, validated)
        self._board: Any = None
        if importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def losses(self, step: int, values: Mapping[str, float]) -> None:
        """Adds learning rate and losses of a step."""
        self._losses.add(step, values)
        self._show("train", step, values)

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        """Adds the figures of a validation."""
        self._figures.add(step, values)
        self._show("validation", step, values)

    def _show(self, group: str, step: int, values: Mapping[str, float]) -> None:
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)
            self._board.flush()
