"""Horizontal bars as SVG text: one a name with its interval, or one a series in each of many groups. Loads no torch."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pretint.pages.axes import Axis, most_of, padded, short_number
from pretint.pages.elements import (
    LETTER,
    NEUTRAL,
    WIDTH,
    dot,
    filling,
    grid,
    interval_text,
    legend,
    legend_rows,
    rule,
    svg_element,
    swatch,
    whisker,
    words,
)

MOST_LETTERS = 36  # of a name beside its bar; a longer one is cut in the middle


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar; `low` and `high` are the ends of its interval, None without one. A nan is a bar that is missing.

    `dots` are single values that the bar stands for, such as the score of each seed. Bars of the same `colour`, a number,
    look alike; without one each bar has its own.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    dots: Sequence[float] = ()
    colour: int | None = None


@dataclass(frozen=True, kw_only=True)
class Series:
    """One value in each group of a chart of groups; a nan leaves its place empty."""

    name: str
    values: Sequence[float]
    apart: bool = False
    """It is none of those that are compared, such as a constant predictor, and looks so."""


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
    values = [
        v for bar in bars for v in (bar.value, bar.low, bar.high, *bar.dots) if v is not None and math.isfinite(v)
    ]
    if reference is not None:
        values.append(reference)
    numbers = [_bar_numbers(bar) for bar in bars]
    left = _left([bar.name for bar in bars])
    right = WIDTH - 16 - LETTER * max((len(text) for text in numbers), default=0)
    row, top = 30, 34 if reference is None else 52
    bottom = top + row * max(len(bars), 1)
    axis = Axis(*padded([0.0, *values], "linear", most=most_of(value_label)), left, right)

    parts = [words(WIDTH / 2, 18, title, anchor="middle", bold=True)]
    parts += grid(axis, top, bottom)
    parts.append(words((left + right) / 2, bottom + 38, value_label, anchor="middle"))
    if not bars:
        parts.append(words((left + right) / 2, (top + bottom) / 2 + 4, "no data", anchor="middle"))
    for number, (bar, text) in enumerate(zip(bars, numbers, strict=True)):
        look = filling(number if bar.colour is None else bar.colour)
        parts += _draw_bar(bar, text, axis, top + row * (number + 0.5), look)
    parts.append(rule(axis.place(0), top, axis.place(0), bottom))
    if reference is not None:
        place = axis.place(reference)
        parts.append(rule(place, top, place, bottom, dash="4 3"))
        name = f"{reference_name} {short_number(reference)}".strip()
        anchor = "middle" if LETTER * len(name) / 2 < min(place, WIDTH - place) else "start"
        parts.append(words(place if anchor == "middle" else 8, 44, name, anchor=anchor))
    said = [f"{bar.name} {text}" for bar, text in zip(bars, numbers, strict=True)]
    if reference is not None:
        said.append(f"{reference_name or 'reference'} {short_number(reference)}")
    return svg_element(bottom + 48, title, "; ".join(said) or "no data", parts)


def group_chart(groups: Sequence[str], series: Sequence[Series], *, title: str, value_label: str = "") -> str:
    """A bar a series in each group, such as the score of each arm in each class.

    Args:
        groups: names from top to bottom.
        series: in the order of the legend; each has a value for every group.
        title: stands above the chart and is its name for screen readers.
        value_label: the quantity with its unit.
    Returns:
        one <svg> element.
    Raises:
        ValueError: a series has not as many values as there are groups.
    """
    if any(len(one.values) != len(groups) for one in series):
        raise ValueError(f"{title}: each series needs {len(groups)} values, one a group")
    thick = 12 if len(series) < 3 else 8
    row, rows = thick * len(series) + 10, legend_rows([one.name for one in series])
    top = 34 + 18 * len(rows)
    bottom = top + row * max(len(groups), 1)
    values = [value for one in series for value in one.values if math.isfinite(value)]
    axis = Axis(*padded([0.0, *values], "linear", most=most_of(value_label)), _left(groups), WIDTH - 16)
    looks = [f'fill="{NEUTRAL}" fill-opacity="0.35"' if one.apart else filling(n) for n, one in enumerate(series)]
    parts = [words(WIDTH / 2, 18, title, anchor="middle", bold=True), *legend(rows, boxes=looks)]
    parts += grid(axis, top, bottom)
    parts.append(words((axis.start + axis.end) / 2, bottom + 38, value_label, anchor="middle"))
    said = []
    for place, group in enumerate(groups):
        start = top + row * place + 5
        parts.append(words(axis.start - 8, start + (row - 10) / 2 + 4, _cut(group), anchor="end"))
        for number, one in enumerate(series):
            told = f"{group}, {one.name}: {short_number(one.values[place])}"
            said.append(told)
            if math.isfinite(one.values[place]):
                middle = start + thick * (number + 0.5)
                parts.append(swatch(axis, one.values[place], middle, thick - 1, looks[number], told))
    parts.append(rule(axis.place(0), top, axis.place(0), bottom))
    return svg_element(bottom + 48, title, "; ".join(said) or "no data", parts)


def _left(names: Sequence[str]) -> float:
    """Where the bars begin: right of the longest name."""
    return 16 + LETTER * min(max((len(name) for name in names), default=0), MOST_LETTERS)


def _cut(name: str) -> str:
    """What tells names apart stands as often at the end as at the beginning."""
    end = MOST_LETTERS // 2
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1 - end]}…{name[-end:]}"


def _draw_bar(bar: Bar, text: str, axis: Axis, middle: float, look: str) -> Iterator[str]:
    told = f"{bar.name}: {text}"
    yield words(axis.start - 8, middle + 4, _cut(bar.name), anchor="end")
    yield words(axis.end + 8, middle + 4, text)
    if math.isfinite(bar.value):
        yield swatch(axis, bar.value, middle, 16, look, told)
    yield from (dot(axis.place(value), middle, "currentColor") for value in bar.dots if math.isfinite(value))
    if _bounded(bar):
        yield whisker(axis.place(bar.low or 0), middle, axis.place(bar.high or 0), middle, "currentColor")


def _bounded(bar: Bar) -> bool:
    return all(end is not None and math.isfinite(end) for end in (bar.low, bar.high))


def _bar_numbers(bar: Bar) -> str:
    return short_number(bar.value) + (interval_text(bar.low, bar.high) if _bounded(bar) else "")
