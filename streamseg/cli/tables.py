"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WIDTH = 200  # columns where nobody looks: a table in a file is not cut


def show_table(
    title: str,
    head: Iterable[str],
    rows: Iterable[tuple[str, Iterable[str]]],
    first: str = "class",
    words: Collection[str] = (),
    to_error: bool = False,
) -> None:
    """Print a table.

    Args:
        title: What it is about.
        head: The heads of the columns of cells.
        rows: A name and cells for each row.
        first: The head of the column of names.
        words: The heads of columns that hold words rather than numbers.
        to_error: Print to standard error, where what is said of a run goes.
    """
    console = Console(stderr=to_error)
    if not console.is_terminal:
        console = Console(width=_WIDTH, stderr=to_error)
    names, lines = list(head), [(name, *cells) for name, cells in rows]
    table = _table([first, *names], lines, words, compact=False)
    if console.measure(table, options=console.options.update_width(1000)).maximum > console.width:
        table = _table([first, *names], lines, words, compact=True)
    console.print(title, style="bold", markup=False, highlight=False)
    console.print(table)


def _table(head: list[str], lines: list[tuple[str, ...]], words: Collection[str], compact: bool) -> Table:
    """The table; where it is compact, names and words of its head are broken, so that no number is cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0)) if compact else Table()
    table.add_column(escape(head[0]), overflow="fold")
    for place, name in enumerate(head[1:], 1):
        width = max((len(line[place]) for line in lines), default=1)
        table.add_column(
            escape(name),
            justify="left" if name in words else "right",
            overflow="fold",
            min_width=width if compact and name not in words else None,
        )
    for name, *cells in lines:
        table.add_row(escape(name), *cells)
    return table
