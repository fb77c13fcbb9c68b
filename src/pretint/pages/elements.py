"""Elements of charts as SVG text: strokes, markers, words, and the <svg> around them. Loads no torch."""

import re
from collections.abc import Iterator, Sequence
from html import escape

from pretint.pages.axes import Axis, short_number

NEUTRAL = "currentColor"
"""Of what is no series, such as a constant predictor."""
COLOURS = ("#2878c8", "#cc5a0a", "#128a62", "#b8559b", "#8a6d1c", "#7a66d0")  # 3:1 or more on white and on #121212
DASHES = ("", "7 4", "2 3", "10 3 2 3", "5 2", "1 4")
WIDTH, HEIGHT = 640, 360  # units of the viewBox; the page scales them
LETTER = 6.6  # mean width of a letter at the font size below
FONT = 12


def dash_of(number: int) -> str:
    """The dash of a series: from the seventh on, whose colour is that of the first, another than the first's."""
    return DASHES[(number + number // len(COLOURS)) % len(DASHES)]


def filling(number: int) -> str:
    """The look of a series' bars: from the seventh on, whose colour is that of the first, outlined."""
    colour = COLOURS[number % len(COLOURS)]
    if number // len(COLOURS) % 2 == 0:
        return f'fill="{colour}" fill-opacity="0.75"'
    return f'fill="{colour}" fill-opacity="0.2" stroke="{colour}"'


def marker(x: float, y: float, number: int) -> str:
    shapes = ("m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "m-3.5 -3.5h7v7h-7z", "m0 -4.5l4.5 8h-9z", "m0 -5l5 5l-5 5l-5 -5z")
    return f'<path d="M{x:.1f} {y:.1f}{shapes[number % len(shapes)]}" fill="{COLOURS[number % len(COLOURS)]}"/>'


def whisker(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    """A line with a short stroke across each end; lies along one axis."""
    across = "v-4v8" if y1 == y2 else "h-4h8"
    d = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}M{x1:.1f} {y1:.1f}{across}M{x2:.1f} {y2:.1f}{across}"
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def dot(x: float, y: float, colour: str) -> str:
    """One value among several, such as the score of a seed: small, so that a few may overlap."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{colour}" fill-opacity="0.55"/>'


def swatch(axis: Axis, value: float, middle: float, thick: float, look: str, told: str) -> str:
    """A horizontal bar from zero; it tells its numbers when pointed at. ``look``: see ``filling``."""
    start, end = sorted((axis.place(0), axis.place(value)))
    return (
        f'<g><title>{clean(told)}</title><rect x="{start:.1f}" y="{middle - thick / 2:.1f}" width="{end - start:.1f}" '
        f'height="{thick:g}" {look}/></g>'
    )


def rule(x1: float, y1: float, x2: float, y2: float, *, faint: bool = False, dash: str = "") -> str:
    look = ' stroke-opacity="0.15"' if faint else ""
    look += f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="currentColor"{look}/>'


def outline(places: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def words(x: float, y: float, text: str, *, anchor: str = "start", bold: bool = False, upright: bool = False) -> str:
    look = ' font-weight="600"' if bold else ""
    look += f' transform="rotate(-90 {x:.1f} {y:.1f})"' if upright else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{look}>{clean(text)}</text>' if text else ""


def clean(text: str) -> str:
    """Escaped, without the control characters that XML forbids."""
    return escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text))


def svg_element(height: float, title: str, description: str, parts: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" width="100%" '
        f'style="max-width:{WIDTH}px;height:auto" font-family="system-ui, sans-serif" font-size="{FONT}" '
        f'fill="currentColor">\n<title>{clean(title)}</title>\n<desc>{clean(description)}</desc>\n'
        + "\n".join(part for part in parts if part)
        + "\n</svg>"
    )


def grid(axis: Axis, top: float, bottom: float) -> Iterator[str]:
    for value, label in axis.ticks():
        place = axis.place(value)
        yield rule(place, top, place, bottom, faint=True)
        yield words(place, bottom + 18, label, anchor="middle")


def legend_rows(names: list[str]) -> list[list[tuple[int, str, float]]]:
    """(series, name, left edge) of each entry, in as many rows as the width asks for."""
    rows: list[list[tuple[int, str, float]]] = []
    place = float("inf")
    for number, name in enumerate(names):
        width = 46 + LETTER * len(name)
        if place + width > WIDTH - 16:
            rows.append([])
            place = 30.0
        rows[-1].append((number, name, place))
        place += width
    return rows


def legend(rows: list[list[tuple[int, str, float]]], *, boxes: Sequence[str] = ()) -> Iterator[str]:
    """Entries with the line and marker of their series, or with boxes of the given looks where the series are bars."""
    for row, entries in enumerate(rows):
        middle = 36 + 18 * row
        for number, name, left in entries:
            dash = dash_of(number)
            colour = COLOURS[number % len(COLOURS)]
            if boxes:
                yield f'<path d="M{left + 14:.1f} {middle - 5}h12v10h-12z" {boxes[number]}/>'
                yield words(left + 32, middle + 4, name)
                continue
            yield (
                f'<path d="M{left:.1f} {middle}h26" stroke="{colour}" stroke-width="2"'
                + (f' stroke-dasharray="{dash}"' if dash else "")
                + "/>"
            )
            yield marker(left + 13, middle, number)
            yield words(left + 32, middle + 4, name)


def interval_text(low: float | None, high: float | None) -> str:
    return f" [{short_number(low)}, {short_number(high)}]" if low is not None and high is not None else ""
