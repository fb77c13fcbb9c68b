"""Charts as SVG text: lines with intervals, and bars with intervals. Loads no torch and no plotting library.

The text stands by itself as a file and inside an HTML page, any number of times: it has no script, no style sheet, no
identifiers and nothing to fetch. Text and axes take the page's colour (currentColor), the colours of series are readable
on white and on near-black, and each series has its own dash and marker, so that print and colour blindness lose nothing.
The title and a description in numbers are there for screen readers; points and bars tell their numbers when pointed at.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Scale = Literal["linear", "log"]

COLOURS = ("#2878c8", "#cc5a0a", "#128a62", "#b8559b", "#8a6d1c", "#7a66d0")  # 3:1 or more on white and on #121212
DASHES = ("", "7 4", "2 3", "10 3 2 3", "5 2", "1 4")
MOST_MARKERS = 40  # points; a line of more is drawn without markers
MOST_POINTS = 600  # points; a longer line is thinned to about this, keeping its extremes

_WIDTH, _HEIGHT = 640, 360  # units of the viewBox; the page scales them
_LETTER = 6.6  # mean width of a letter at the font size below
_FONT = 12


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series; `low` and `high` are the ends of an interval around y. Values that are not finite leave gaps."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar; `low` and `high` are the ends of its interval, None without one. A nan is a bar that is missing."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class _Axis:
    """Maps values low..high to start..end in units of the viewBox."""

    low: float
    high: float
    start: float
    end: float
    scale: Scale = "linear"

    def place(self, value: float) -> float:
        low, high, v = self.low, self.high, value
        if self.scale == "log":
            low, high, v = math.log10(low), math.log10(high), math.log10(v)
        return self.start + (v - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        return _log_ticks(self.low, self.high) if self.scale == "log" else _linear_ticks(self.low, self.high)


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
) -> str:
    """Series over a common axis, such as losses over steps or scores over label fractions.

    Args:
        lines: the series, in the order of the legend.
        title: stands above the chart and is its name for screen readers.
        x_label, y_label: the quantities with their units.
        x_scale, y_scale: on a log axis values of 0 and below leave gaps.
        interval: how low..high is drawn: a shaded band (many points) or a bar at each point (few).
    Returns:
        one <svg> element.
    """
    series = [_points(line, x_scale, y_scale) for line in lines]
    every = [p for points in series for p in points if p is not None]
    legend_rows = _legend_rows([line.name for line in lines])
    top = 34 + 18 * len(legend_rows)
    height = _HEIGHT + 18 * max(0, len(legend_rows) - 1)
    ys = [v for p in every for v in (p.y, p.low, p.high) if v is not None]
    y_axis = _Axis(*_padded(ys, y_scale), height - 48, top + 6, y_scale)
    left = 30 + _LETTER * max([len(label) for _, label in y_axis.ticks()] or [1])
    x_axis = _Axis(*_padded([p.x for p in every], x_scale, 0), left, _WIDTH - 16, x_scale)

    parts = [_text(_WIDTH / 2, 18, title, anchor="middle", bold=True), *_legend(legend_rows)]
    parts += _frame(x_axis, y_axis, x_label, y_label)
    if not every:
        parts.append(_text((x_axis.start + x_axis.end) / 2, (top + height) / 2, "no data", anchor="middle"))
    for number, (line, points) in enumerate(zip(lines, series, strict=True)):
        parts += _draw_line(line.name, points, number, x_axis, y_axis, interval)
    said = [_last_value(line.name, points, x_label) for line, points in zip(lines, series, strict=True)]
    return _svg(height, title, "; ".join(said) or "no data", parts)


def bar_chart(
    bars: Sequence[Bar], *, title: str, value_label: str = "", reference: float | None = None, reference_name: str = ""
) -> str:
    """Horizontal bars from zero, each with its interval and its numbers, such as the gain of each arm.

    Args:
        bars: from top to bottom.
        title: stands above the chart and is its name for screen readers.
        value_label: the quantity with its unit.
        reference: a value marked by a dashed line, such as the score of a constant predictor.
        reference_name: what it is.
    Returns:
        one <svg> element.
    """
    values = [v for bar in bars for v in (bar.value, bar.low, bar.high) if v is not None and math.isfinite(v)]
    if reference is not None:
        values.append(reference)
    numbers = [_bar_numbers(bar) for bar in bars]
    left = 16 + _LETTER * min(max((len(bar.name) for bar in bars), default=0), 36)
    right = _WIDTH - 16 - _LETTER * max((len(text) for text in numbers), default=0)
    row, top = 30, 34 if reference is None else 52
    bottom = top + row * max(len(bars), 1)
    axis = _Axis(*_padded([0.0, *values], "linear"), left, right)

    parts = [_text(_WIDTH / 2, 18, title, anchor="middle", bold=True)]
    parts += _grid(axis, top, bottom)
    parts.append(_text((left + right) / 2, bottom + 38, value_label, anchor="middle"))
    if not bars:
        parts.append(_text((left + right) / 2, (top + bottom) / 2 + 4, "no data", anchor="middle"))
    for number, (bar, text) in enumerate(zip(bars, numbers, strict=True)):
        parts += _draw_bar(bar, text, axis, top + row * (number + 0.5), COLOURS[number % len(COLOURS)])
    parts.append(_rule(axis.place(0), top, axis.place(0), bottom))
    if reference is not None:
        place = axis.place(reference)
        parts.append(_rule(place, top, place, bottom, dash="4 3"))
        name = f"{reference_name} {_number(reference)}".strip()
        anchor = "middle" if _LETTER * len(name) / 2 < min(place, _WIDTH - place) else "start"
        parts.append(_text(place if anchor == "middle" else 8, 44, name, anchor=anchor))
    said = [f"{bar.name} {text}" for bar, text in zip(bars, numbers, strict=True)]
    if reference is not None:
        said.append(f"{reference_name or 'reference'} {_number(reference)}")
    return _svg(bottom + 48, title, "; ".join(said) or "no data", parts)


def _points(line: Line, x_scale: Scale, y_scale: Scale) -> list[_Point | None]:
    """The drawable points in their order, None for a gap; thinned if there are many."""
    bounded = bool(len(line.low) or len(line.high))
    if len(line.x) != len(line.y) or (bounded and not len(line.low) == len(line.high) == len(line.y)):
        raise ValueError(f"{line.name}: x, y and the ends of the interval differ in length")

    def fits(value: float, scale: Scale) -> bool:
        return math.isfinite(value) and (scale == "linear" or value > 0)

    points: list[_Point | None] = []
    for i, (x, y) in enumerate(zip(line.x, line.y, strict=True)):
        if not (fits(x, x_scale) and fits(y, y_scale)):
            points.append(None)
        elif bounded and fits(line.low[i], y_scale) and fits(line.high[i], y_scale):
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
    name: str, points: list[_Point | None], number: int, x_axis: _Axis, y_axis: _Axis, interval: str
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
            yield f'<path d="{_path(edge)}Z" fill="{colour}" fill-opacity="0.18"/>'
        else:
            yield from (_whisker(x, low, x, high, colour) for x, low, high in bounded)
        dash = f' stroke-dasharray="{DASHES[number % len(DASHES)]}"' if number % len(DASHES) else ""
        places = [(x_axis.place(p.x), y_axis.place(p.y)) for p in run]
        yield f'<path d="{_path(places)}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
    there = [p for p in points if p is not None]
    if len(there) <= MOST_MARKERS:
        for p in there:
            told = f"{name}: {_number(p.x)}, {_number(p.y)}{_interval(p.low, p.high)}"
            yield f"<g><title>{_clean(told)}</title>{_marker(x_axis.place(p.x), y_axis.place(p.y), number)}</g>"


def _draw_bar(bar: Bar, text: str, axis: _Axis, middle: float, colour: str) -> Iterator[str]:
    name = bar.name if len(bar.name) <= 36 else bar.name[:35] + "…"
    yield f"<g><title>{_clean(f'{bar.name}: {text}')}</title>"
    yield _text(axis.start - 8, middle + 4, name, anchor="end")
    yield _text(axis.end + 8, middle + 4, text)
    if math.isfinite(bar.value):
        start, end = sorted((axis.place(0), axis.place(bar.value)))
        yield (
            f'<rect x="{start:.1f}" y="{middle - 8:.1f}" width="{end - start:.1f}" height="16" fill="{colour}" '
            'fill-opacity="0.75"/>'
        )
    if _bounded(bar):
        yield _whisker(axis.place(bar.low or 0), middle, axis.place(bar.high or 0), middle, "currentColor")
    yield "</g>"


def _frame(x_axis: _Axis, y_axis: _Axis, x_label: str, y_label: str) -> Iterator[str]:
    left, right, bottom, top = x_axis.start, x_axis.end, y_axis.start, y_axis.end
    for value, label in y_axis.ticks():
        place = y_axis.place(value)
        yield _rule(left, place, right, place, faint=True)
        yield _text(left - 6, place + 4, label, anchor="end")
    yield from _grid(x_axis, top, bottom)
    yield _rule(left, bottom, right, bottom)
    yield _text((left + right) / 2, bottom + 38, x_label, anchor="middle")
    yield _text(14, (top + bottom) / 2, y_label, anchor="middle", upright=True)


def _grid(axis: _Axis, top: float, bottom: float) -> Iterator[str]:
    for value, label in axis.ticks():
        place = axis.place(value)
        yield _rule(place, top, place, bottom, faint=True)
        yield _text(place, bottom + 18, label, anchor="middle")


def _legend_rows(names: list[str]) -> list[list[tuple[int, str, float]]]:
    """(series, name, left edge) of each entry, in as many rows as the width asks for."""
    rows: list[list[tuple[int, str, float]]] = []
    place = float("inf")
    for number, name in enumerate(names):
        width = 46 + _LETTER * len(name)
        if place + width > _WIDTH - 16:
            rows.append([])
            place = 30.0
        rows[-1].append((number, name, place))
        place += width
    return rows


def _legend(rows: list[list[tuple[int, str, float]]]) -> Iterator[str]:
    for row, entries in enumerate(rows):
        middle = 36 + 18 * row
        for number, name, left in entries:
            dash = DASHES[number % len(DASHES)]
            colour = COLOURS[number % len(COLOURS)]
            yield (
                f'<path d="M{left:.1f} {middle}h26" stroke="{colour}" stroke-width="2"'
                + (f' stroke-dasharray="{dash}"' if dash else "")
                + "/>"
            )
            yield _marker(left + 13, middle, number)
            yield _text(left + 32, middle + 4, name)


def _runs(points: list[_Point | None]) -> Iterator[list[_Point]]:
    run: list[_Point] = []
    for point in [*points, None]:
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []


def _padded(values: list[float], scale: Scale, share: float = 0.05) -> tuple[float, float]:
    """The range of an axis: that of the values and a little more, never empty."""
    if not values:
        return (1.0, 10.0) if scale == "log" else (0.0, 1.0)
    low, high = min(values), max(values)
    if scale == "log":
        low, high = math.log10(low), math.log10(high)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = 0.5 if scale == "log" else abs(high) * 0.1 or 1.0
        low, high = low - room, high + room
    else:
        room = (high - low) * share
        low, high = low - room, high + room
    return (10**low, 10**high) if scale == "log" else (low, high)


def _linear_ticks(low: float, high: float) -> list[tuple[float, str]]:
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= rough)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    large = max(abs(low), abs(high)) >= 1e4 or decimals > 5
    return [(v, _number(v) if large else f"{v:.{decimals}f}".replace("-", "−")) for v in values]


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    def between(factors: tuple[int, ...], every: int = 1) -> list[float]:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        all_values = (m * 10.0**e for e in range(first, last + 1, every) for m in factors)
        return [v for v in all_values if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]

    decades = math.log10(high) - math.log10(low)
    values = between((1, 2, 5)) if decades <= 2.5 else between((1,), math.ceil(decades / 8))
    return [(v, _number(v)) for v in values] if len(values) > 1 else _linear_ticks(low, high)


def _number(value: float) -> str:
    """Four digits, with k and M for thousands and millions."""
    size = abs(value)
    if not math.isfinite(value):
        text = "no value"
    elif size >= 1e9 or 0 < size < 1e-4:
        text = f"{value:.3g}"
    elif size >= 1e6:
        text = f"{value / 1e6:.4g}M"
    elif size >= 1e4:
        text = f"{value / 1e3:.4g}k"
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−") if math.isfinite(value) else text


def _interval(low: float | None, high: float | None) -> str:
    return f" [{_number(low)}, {_number(high)}]" if low is not None and high is not None else ""


def _bounded(bar: Bar) -> bool:
    return all(end is not None and math.isfinite(end) for end in (bar.low, bar.high))


def _bar_numbers(bar: Bar) -> str:
    return _number(bar.value) + (_interval(bar.low, bar.high) if _bounded(bar) else "")


def _last_value(name: str, points: list[_Point | None], x_label: str) -> str:
    last = next((p for p in reversed(points) if p is not None), None)
    if last is None:
        return f"{name}: no data"
    return f"{name}: {_number(last.y)}{_interval(last.low, last.high)} at {x_label or 'x'} {_number(last.x)}"


def _marker(x: float, y: float, number: int) -> str:
    shapes = ("m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "m-3.5 -3.5h7v7h-7z", "m0 -4.5l4.5 8h-9z", "m0 -5l5 5l-5 5l-5 -5z")
    return f'<path d="M{x:.1f} {y:.1f}{shapes[number % len(shapes)]}" fill="{COLOURS[number % len(COLOURS)]}"/>'


def _whisker(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    """A line with a short stroke across each end; lies along one axis."""
    across = "v-4v8" if y1 == y2 else "h-4h8"
    d = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}M{x1:.1f} {y1:.1f}{across}M{x2:.1f} {y2:.1f}{across}"
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _rule(x1: float, y1: float, x2: float, y2: float, *, faint: bool = False, dash: str = "") -> str:
    look = ' stroke-opacity="0.15"' if faint else ""
    look += f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="currentColor"{look}/>'


def _path(places: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _text(x: float, y: float, text: str, *, anchor: str = "start", bold: bool = False, upright: bool = False) -> str:
    look = ' font-weight="600"' if bold else ""
    look += f' transform="rotate(-90 {x:.1f} {y:.1f})"' if upright else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{look}>{_clean(text)}</text>' if text else ""


def _clean(text: str) -> str:
    """Escaped, without the control characters that XML forbids."""
    return escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text))


def _svg(height: float, title: str, description: str, parts: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" role="img" width="100%" '
        f'style="max-width:{_WIDTH}px;height:auto" font-family="system-ui, sans-serif" font-size="{_FONT}" '
        f'fill="currentColor">\n<title>{_clean(title)}</title>\n<desc>{_clean(description)}</desc>\n'
        + "\n".join(part for part in parts if part)
        + "\n</svg>"
    )
