"""Lines with intervals as SVG text. Loads no torch and no plotting library.

This holds for every chart of the report: the text stands by itself as a file and inside an HTML page, any number of times;
it has no script, no style sheet, no identifiers and nothing to fetch. Text and axes take the page's colour (currentColor), the colours of series are readable
on white and on near-black, and each series has its own dash and marker, so that print and colour blindness lose nothing.
The title and a description in numbers are there for screen readers; points and bars tell their numbers when pointed at.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pretint.pages.axes import Axis, Scale, most_of, padded, short_number
from pretint.pages.elements import (
    COLOURS,
    HEIGHT,
    LETTER,
    WIDTH,
    clean,
    dash_of,
    dot,
    grid,
    interval_text,
    legend,
    legend_rows,
    marker,
    outline,
    rule,
    svg_element,
    whisker,
    words,
)

MOST_MARKERS = 40  # points; a line of more is drawn without markers
BESIDE = 12  # units between series whose intervals are bars, where there are few
GROUP = 36  # units that all series of one x take at the most: farther apart they would seem to lie at other x
MOST_POINTS = 600  # points; a longer line is thinned to about this, keeping its extremes


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series; `low` and `high` are the ends of an interval around y. Values that are not finite leave gaps.

    `dots` are single values (x, y) that the line sums up, such as the score of each seed.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    dots: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class _Point:
    x: float
    y: float
    low: float | None
    high: float | None


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    interval: Literal["band", "bars"] = "band",
    reference: float | None = None,
    reference_name: str = "",
) -> str:
    """Series over a common axis, such as losses over steps or scores over label fractions.

    Args:
        lines: the series, in the order of the legend.
        title: stands above the chart and is its name for screen readers.
        x_label, y_label: the quantities with their units.
        x_scale, y_scale: on a log axis values of 0 and below leave gaps.
        interval: how low..high is drawn: a shaded band (many points) or a bar at each point (few); with bars the series
            are drawn a little beside each other, so that bars at the same x can be told apart.
        reference: a value marked by a dashed line across the chart, such as the score of a constant predictor.
        reference_name: what it is.
    Returns:
        one <svg> element.
    """
    series = [_points(line, x_scale, y_scale) for line in lines]
    every = [p for points in series for p in points if p is not None]
    rows = legend_rows([line.name for line in lines])
    top = 34 + 18 * len(rows)
    height = HEIGHT + 18 * max(0, len(rows) - 1)
    dots = [[(x, y) for x, y in line.dots if _fits(x, x_scale) and _fits(y, y_scale)] for line in lines]
    ys = [v for p in every for v in (p.y, p.low, p.high) if v is not None] + [y for there in dots for _, y in there]
    if reference is not None and _fits(reference, y_scale):
        ys.append(reference)
    y_axis = Axis(*padded(ys, y_scale, most=most_of(y_label)), height - 48, top + 6, y_scale)
    left = 30 + LETTER * max([len(label) for _, label in y_axis.ticks()] or [1])
    step = min(BESIDE, GROUP / len(lines)) if interval == "bars" else 0
    room = step * len(lines) / 2
    xs = [p.x for p in every]
    whole = all(x.is_integer() for x in xs)
    x_axis = Axis(*padded(xs, x_scale, 0), left + room, WIDTH - 16 - room, x_scale, whole)

    parts = [words(WIDTH / 2, 18, title, anchor="middle", bold=True), *legend(rows)]
    parts += _frame(x_axis, y_axis, room, x_label, y_label)
    if not every:
        parts.append(words((x_axis.start + x_axis.end) / 2, (top + height) / 2, "no data", anchor="middle"))
    for number, (line, points) in enumerate(zip(lines, series, strict=True)):
        beside = step * (number - (len(lines) - 1) / 2)
        own = Axis(x_axis.low, x_axis.high, x_axis.start + beside, x_axis.end + beside, x_scale)
        parts += _draw_line(line.name, points, number, own, y_axis, interval)
        left_of = 5 if interval == "bars" else 0  # of the interval's bar
        parts += [dot(own.place(x) - left_of, y_axis.place(y), COLOURS[number % len(COLOURS)]) for x, y in dots[number]]
    said = [_last_value(line.name, points, x_label) for line, points in zip(lines, series, strict=True)]
    if reference is not None and _fits(reference, y_scale):
        place, named = y_axis.place(reference), f"{reference_name} {short_number(reference)}".strip()
        parts += [rule(left, place, WIDTH - 16, place, dash="4 3"), words(WIDTH - 20, place - 5, named, anchor="end")]
        said.append(f"{reference_name or 'reference'} {short_number(reference)}")
    return svg_element(height, title, "; ".join(said) or "no data", parts)


def _fits(value: float, scale: Scale) -> bool:
    return math.isfinite(value) and (scale == "linear" or value > 0)


def _points(line: Line, x_scale: Scale, y_scale: Scale) -> list[_Point | None]:
    """The drawable points in their order, None for a gap; thinned if there are many."""
    bounded = bool(len(line.low) or len(line.high))
    if len(line.x) != len(line.y) or (bounded and not len(line.low) == len(line.high) == len(line.y)):
        raise ValueError(f"{line.name}: x, y and the ends of the interval differ in length")

    points: list[_Point | None] = []
    for i, (x, y) in enumerate(zip(line.x, line.y, strict=True)):
        if not (_fits(x, x_scale) and _fits(y, y_scale)):
            points.append(None)
        elif bounded and _fits(line.low[i], y_scale) and _fits(line.high[i], y_scale):
            points.append(_Point(float(x), float(y), float(line.low[i]), float(line.high[i])))
        else:
            points.append(_Point(float(x), float(y), None, None))
    return _thinned(points)


def _thinned(points: list[_Point | None]) -> list[_Point | None]:
    """Of each of equal stretches the lowest and the highest point, so that no spike is lost."""
    if len(points) <= MOST_POINTS:
        return points
    stretch = math.ceil(len(points) / (MOST_POINTS / 2))
    kept: list[_Point | None] = []
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        there = [(p.y, i) for i, p in enumerate(part) if p is not None]
        kept += [part[i] for i in sorted({min(there)[1], max(there)[1]})] if there else [None]
    return kept


def _draw_line(
    name: str, points: list[_Point | None], number: int, x_axis: Axis, y_axis: Axis, interval: str
) -> Iterator[str]:
    colour = COLOURS[number % len(COLOURS)]
    for run in _runs(points):
        bounded = [
            (x_axis.place(p.x), y_axis.place(p.low), y_axis.place(p.high))
            for p in run
            if p.low is not None and p.high is not None
        ]
        if interval == "band" and len(bounded) > 1:
            edge = [(x, low) for x, low, _ in bounded] + [(x, high) for x, _, high in reversed(bounded)]
            yield f'<path d="{outline(edge)}Z" fill="{colour}" fill-opacity="0.18"/>'
        else:
            yield from (whisker(x, low, x, high, colour) for x, low, high in bounded)
        dash = f' stroke-dasharray="{dash_of(number)}"' if dash_of(number) else ""
        places = [(x_axis.place(p.x), y_axis.place(p.y)) for p in run]
        yield f'<path d="{outline(places)}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
    there = [p for p in points if p is not None]
    if len(there) <= MOST_MARKERS:
        for p in there:
            told = f"{name}: {short_number(p.x)}, {short_number(p.y)}{interval_text(p.low, p.high)}"
            yield f"<g><title>{clean(told)}</title>{marker(x_axis.place(p.x), y_axis.place(p.y), number)}</g>"


def _frame(x_axis: Axis, y_axis: Axis, room: float, x_label: str, y_label: str) -> Iterator[str]:
    left, right, bottom, top = x_axis.start - room, x_axis.end + room, y_axis.start, y_axis.end
    for value, label in y_axis.ticks():
        place = y_axis.place(value)
        yield rule(left, place, right, place, faint=True)
        yield words(left - 6, place + 4, label, anchor="end")
    yield from grid(x_axis, top, bottom)
    yield rule(left, bottom, right, bottom)
    yield words((left + right) / 2, bottom + 38, x_label, anchor="middle")
    yield words(14, (top + bottom) / 2, y_label, anchor="middle", upright=True)


def _runs(points: list[_Point | None]) -> Iterator[list[_Point]]:
    run: list[_Point] = []
    for point in [*points, None]:
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []


def _last_value(name: str, points: list[_Point | None], x_label: str) -> str:
    last = next((p for p in reversed(points) if p is not None), None)
    if last is None:
        return f"{name}: no data"
    return (
        f"{name}: {short_number(last.y)}{interval_text(last.low, last.high)} at {x_label or 'x'} {short_number(last.x)}"
    )
