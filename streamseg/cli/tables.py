"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WIDTH = 200  # columns where nobody looks: a table in a file is not cut


def show_table(
    title: str, head: Iterable[str], rows: Iterable[tuple[str, Iterable[str]]], first: str = "class"
) -> None:
    """Print a table: ``first`` heads the column of names, ``head`` those of the cells."""
    table = Table(first)
    for name in head:
        table.add_column(escape(name), justify="right")
    for name, cells in rows:
        table.add_row(escape(name), *cells)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(title, style="bold", markup=False, highlight=False)
    console.print(table)
