"""Kernels that paste masks and paint them, tinted and outlined, into a picture that lies on a GPU."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

COLUMNS = 16
"""Numbers per object in the table that the kernels read:

0 to 3: x, y, width and height of the object's patch in the picture; 4: where its pixels begin among those of all
patches; 5: its first tile among those of all patches; 6 to 8: its colour, as the picture writes it; 9 to 12, as bits of
float32: what is subtracted from x and y, and the cells per pixel across and down.
"""

TILE = 32
"""Rows and columns of a patch that one program pastes."""

_ROWS, _COLUMNS = 8, 128  # of the picture, that one program paints


def paste(table: torch.Tensor, owners: torch.Tensor, masks: torch.Tensor, patches: torch.Tensor, aligned: bool) -> None:
    """Turn masks into pixels, as ``streamseg.masks.paste`` does.

    Args:
        table: int32 [N, COLUMNS].
        owners: int32 [T], the object of each tile.
        masks: float32 [N, M, M].
        patches: uint8, where the pixels go: 1 inside, 0 outside.
        aligned: Whether by the rule of that name, rather than torchvision's.
    """
    cells = masks.shape[1]
    _paste[(len(owners),)](
        table, owners, masks, patches, CELLS=cells, ALIGNED=aligned, COLUMNS=COLUMNS, TILE=TILE, enable_fp_fusion=False
    )


def paint(
    layer: torch.Tensor,
    table: torch.Tensor,
    patches: torch.Tensor,
    opacity: float,
    line: int,
    shade: int | None,
    step: int,
    first_colour: int,
) -> None:
    """Tint and outline objects, one after the other, as ``streamseg.overlay.canvas.Canvas`` does.

    Args:
        layer: uint8 [C, h, w], changed in place; any strides.
        table: int32 [N, COLUMNS], in the order of painting.
        patches: uint8, of ``paste``.
        opacity: How much of a colour lies over an object, 0 to 1.
        line: Width of outlines in pixels of the picture, 0 for none.
        shade: The value of the dark rim; None for no rim.
        step: Pixels of the picture per row and column of the layer.
        first_colour: Which value of a colour is the first channel's.
    """
    channels, height, width = layer.shape
    _paint[(triton.cdiv(height, _ROWS), triton.cdiv(width, _COLUMNS))](
        layer,
        table,
        patches,
        len(table),
        height,
        width,
        opacity,
        0 if shade is None else shade,
        *layer.stride(),
        CHANNELS=channels,
        FIRST=6 + first_colour,
        STEP=step,
        LINE=line,
        RIM=1 + line // 2 if line else 0,
        SHADED=shade is not None,
        COLUMNS=COLUMNS,
        ROWS=_ROWS,
        WIDTH=_COLUMNS,
        enable_fp_fusion=False,
    )


@triton.jit
def _paste(  # type: ignore[no-untyped-def]
    table,
    owners,
    masks,
    patches,
    CELLS: tl.constexpr,
    ALIGNED: tl.constexpr,
    COLUMNS: tl.constexpr,
    TILE: tl.constexpr,
):
    """One tile of one patch."""
    program = tl.program_id(0)
    owner = tl.load(owners + program)
    row = table + owner * COLUMNS
    left, top, width, height = tl.load(row), tl.load(row + 1), tl.load(row + 2), tl.load(row + 3)
    tile = program - tl.load(row + 5)
    across = (width + TILE - 1) // TILE
    x = tile % across * TILE + tl.arange(0, TILE)
    y = tile // across * TILE + tl.arange(0, TILE)
    from_x, from_y = tl.load(row + 9).to(tl.float32, bitcast=True), tl.load(row + 10).to(tl.float32, bitcast=True)
    by_x, by_y = tl.load(row + 11).to(tl.float32, bitcast=True), tl.load(row + 12).to(tl.float32, bitcast=True)
    near_x, far_x, share_x = _cells((left + x).to(tl.float32), from_x, by_x, CELLS, ALIGNED)
    near_y, far_y, share_y = _cells((top + y).to(tl.float32), from_y, by_y, CELLS, ALIGNED)
    mask = masks + owner * CELLS * CELLS
    upper = _cell(mask, near_y, near_x, CELLS) * (1 - share_x)[None, :]
    upper += _cell(mask, near_y, far_x, CELLS) * share_x[None, :]
    lower = _cell(mask, far_y, near_x, CELLS) * (1 - share_x)[None, :]
    lower += _cell(mask, far_y, far_x, CELLS) * share_x[None, :]
    value = upper * (1 - share_y)[:, None] + lower * share_y[:, None]
    inside = value >= 0.5 if ALIGNED else value > 0.5
    place = tl.load(row + 4) + y[:, None] * width + x[None, :]
    tl.store(patches + place, inside.to(tl.uint8), (y < height)[:, None] & (x < width)[None, :])


@triton.jit
def _cells(at, origin, scale, CELLS: tl.constexpr, ALIGNED: tl.constexpr):  # type: ignore[no-untyped-def]
    """Of a mask with one empty cell around it: the two cells beside each pixel's centre, and the second's weight."""
    place = (at - origin + 0.5) * scale - 0.5
    if ALIGNED:
        place += 1
    place = tl.maximum(place, 0.0)
    first = tl.minimum(place.to(tl.int32), CELLS + 1)
    return first, tl.minimum(first + 1, CELLS + 1), tl.minimum(place - first, 1.0)


@triton.jit
def _cell(mask, y, x, CELLS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Values of a mask with one empty cell around it."""
    there = ((y >= 1) & (y <= CELLS))[:, None] & ((x >= 1) & (x <= CELLS))[None, :]
    return tl.load(mask + (y - 1)[:, None] * CELLS + (x - 1)[None, :], there, 0.0)


@triton.jit(do_not_specialize=["count"])  # or each number of objects would be compiled for
def _paint(  # type: ignore[no-untyped-def]
    layer,
    table,
    patches,
    count,
    height,
    width,
    opacity,
    shade,
    per_channel,
    per_row,
    per_column,
    CHANNELS: tl.constexpr,
    FIRST: tl.constexpr,
    STEP: tl.constexpr,
    LINE: tl.constexpr,
    RIM: tl.constexpr,
    SHADED: tl.constexpr,
    COLUMNS: tl.constexpr,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """One tile of the layer: all objects that reach into it, one after the other."""
    top, left = tl.program_id(0) * ROWS, tl.program_id(1) * WIDTH
    y, x = top + tl.arange(0, ROWS), left + tl.arange(0, WIDTH)
    seen = (y < height)[:, None] & (x < width)[None, :]
    place = layer + y[:, None] * per_row + x[None, :] * per_column
    first = tl.load(place, seen, 0).to(tl.float32)
    second = first
    third = first
    if CHANNELS > 1:
        second = tl.load(place + per_channel, seen, 0).to(tl.float32)
    if CHANNELS > 2:
        third = tl.load(place + 2 * per_channel, seen, 0).to(tl.float32)
    REACH: tl.constexpr = max(LINE, RIM)
    for number in range(count):
        row = table + number * COLUMNS
        own_x, own_y, own_width, own_height = tl.load(row), tl.load(row + 1), tl.load(row + 2), tl.load(row + 3)
        beside = (own_x - RIM >= (left + WIDTH) * STEP) | (own_x + own_width + RIM <= left * STEP)
        beside |= (own_y - RIM >= (top + ROWS) * STEP) | (own_y + own_height + RIM <= top * STEP)
        if not beside:
            start = patches + tl.load(row + 4)
            across, down = (x * STEP - own_x)[None, :], (y * STEP - own_y)[:, None]
            here = _inside(start, down, across, own_height, own_width)
            colour = tl.load(row + FIRST).to(tl.float32)
            second_colour = tl.load(row + FIRST + 1).to(tl.float32)
            third_colour = tl.load(row + FIRST + 2).to(tl.float32)
            first = tl.where(here > 0, tl.floor(first * (1 - opacity) + colour * opacity + 0.5), first)
            second = tl.where(here > 0, tl.floor(second * (1 - opacity) + second_colour * opacity + 0.5), second)
            third = tl.where(here > 0, tl.floor(third * (1 - opacity) + third_colour * opacity + 0.5), third)
            if LINE > 0:
                least, most = here, here
                for dy in range(-REACH, REACH + 1):
                    for dx in range(-REACH, REACH + 1):
                        near = _inside(start, down + dy, across + dx, own_height, own_width)
                        furthest = tl.maximum(tl.abs(dy), tl.abs(dx))
                        least = tl.minimum(least, tl.where(furthest <= LINE, near, 1))
                        most = tl.maximum(most, tl.where(furthest <= RIM, near, 0))
                if SHADED:
                    rim = most > here
                    first, second, third = (
                        tl.where(rim, shade, first),
                        tl.where(rim, shade, second),
                        tl.where(rim, shade, third),
                    )
                ring = here > least
                first = tl.where(ring, colour, first)
                second = tl.where(ring, second_colour, second)
                third = tl.where(ring, third_colour, third)
    tl.store(place, first.to(tl.uint8), seen)
    if CHANNELS > 1:
        tl.store(place + per_channel, second.to(tl.uint8), seen)
    if CHANNELS > 2:
        tl.store(place + 2 * per_channel, third.to(tl.uint8), seen)


@triton.jit
def _inside(patch, y, x, height, width):  # type: ignore[no-untyped-def]
    """Pixels of a patch, 1 or 0; 0 beside it."""
    there = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return tl.load(patch + y * width + x, there, 0).to(tl.int32)
