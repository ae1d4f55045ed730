"""The confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_CELL_PX = 56
_EDGE_PX = 64
_RIGHT = (31, 119, 80)
_WRONG = (192, 57, 43)
_INK, _PAPER, _RULE = (20, 20, 20), (255, 255, 255), (210, 210, 210)


def draw_confusion_matrix(matrix: Sequence[Sequence[int]]) -> Image.Image:
    """Draw a confusion matrix: correct cells green, errors red.

    The intensity is the square root of a cell's share of its row: errors of rare classes and
    single errors stay visible.

    Parameters
    ----------
    matrix
        Counts, ``[truth, read]``, 10 rows of 10.

    Returns
    -------
    Image
        Mode RGB.
    """
    classes = len(matrix)
    side = _EDGE_PX + classes * _CELL_PX
    image = Image.new("RGB", (side + _EDGE_PX // 4, side + _EDGE_PX // 4), _PAPER)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=16)
    middle = _EDGE_PX + classes * _CELL_PX / 2
    draw.text((middle, 16), "read as", _INK, font, anchor="mm")
    draw.text((2, middle), "truth", _INK, font, anchor="lm")
    for truth, row in enumerate(matrix):
        edge = _EDGE_PX + (truth + 0.5) * _CELL_PX
        draw.text((edge, _EDGE_PX - 14), str(truth), _INK, font, anchor="mm")
        draw.text((_EDGE_PX - 10, edge), str(truth), _INK, font, anchor="rm")
        for read, count in enumerate(row):
            x, y = _EDGE_PX + read * _CELL_PX, _EDGE_PX + truth * _CELL_PX
            strength = (count / max(1, sum(row))) ** 0.5
            fill = _mix(_RIGHT if read == truth else _WRONG, strength)
            draw.rectangle((x, y, x + _CELL_PX, y + _CELL_PX), fill, _RULE)
            if count:
                ink = _PAPER if strength > 0.5 else _INK
                draw.text((x + _CELL_PX / 2, y + _CELL_PX / 2), str(count), ink, font, anchor="mm")
    return image


def _mix(colour: tuple[int, int, int], strength: float) -> tuple[int, int, int]:
    red, green, blue = (
        round(paper + strength * (full - paper)) for paper, full in zip(_PAPER, colour, strict=True)
    )
    return red, green, blue
