"""A study's charts: scores over label fractions and depths, and differences, all with intervals and seeds. Loads no torch."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pretint.pages.scores import CONSTANT, hundred, labelled, named
from pretint.pages.study_tables import Place, Study, mode_words, over, place
from pretint.terminal import percent


def _shown(study: Study) -> str:
    return f"Dots are single seeds; the bars across are 95 % intervals over {over(study)}."


def score_charts(study: Study) -> list[dict[str, Any]]:
    """Scores over the label fractions, a chart a mode; of a mode with several depths, over the depths, a chart a fraction."""
    charts = []
    for mode in dict.fromkeys(at[0] for at in study.places):
        places = [at for at in study.places if at[0] == mode]
        depths = list(dict.fromkeys(at[1] for at in places))
        fractions = list(dict.fromkeys(at[2] for at in places))
        words = mode_words(mode, None)
        if len(depths) > 1:
            for fraction in fractions:
                at: list[Place] = [(mode, depth, fraction) for depth in depths if depth is not None]
                title = f"{named(study.score)} by depth, {words}, {percent(fraction)} of the labels"
                charts.append(
                    _lines(study, title, at, [float(one[1] or 0) for one in at], "stride of the features, pixels")
                )
        elif len(fractions) > 1:
            words = mode_words(mode, depths[0])
            at = [(mode, depths[0], fraction) for fraction in fractions]
            title = f"{named(study.score)} over labels, {words}"
            charts.append(
                _lines(
                    study, title, at, [100 * fraction for fraction in fractions], "labels, % of the training pictures"
                )
            )
        else:
            charts.append(
                _bars(
                    study,
                    f"{named(study.score)}, {mode_words(mode, depths[0])}, {percent(fractions[0])} of the labels",
                    places[0],
                )
            )
    return charts


def difference_chart(study: Study, differences: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Differences of the study to the reference as bars from zero, with their intervals."""
    modes = {(one["mode"], one.get("depth")) for one in differences}
    references = {one["reference"] for one in differences}
    bars = []
    colours = {arm["name"]: number for number, arm in enumerate(study.arms)}
    for one in differences:
        name = f"{one['arm']}, {percent(one['fraction'])}"
        name += f", {mode_words(one['mode'], one.get('depth'), short=True)}" if len(modes) > 1 else ""
        name += f" (to {one['reference']})" if len(references) > 1 else ""
        bars.append(
            {
                "name": name,
                "colour": colours.get(one["arm"]),
                **{
                    key: hundred(one.get(other)) for key, other in (("value", "mean"), ("low", "low"), ("high", "high"))
                },
            }
        )
    against = references.pop() if len(references) == 1 else "its reference"
    return {
        "kind": "bars",
        "title": f"Difference to {against} in {named(study.score)}",
        "bars": bars,
        "value_label": "points; right of zero is better",
        "caption": "Arms by their share of the labels; the bars across are paired 95 % intervals, not corrected for the number of comparisons.",
    }


def _lines(study: Study, title: str, places: list[Place], x: list[float], x_label: str) -> dict[str, Any]:
    lines = []
    for arm in study.arms:
        rows = [(at, x_of, row) for at, x_of in zip(places, x, strict=True) if (row := study.row(arm["name"], at))]
        if not rows:
            continue
        dots = [[x_of, 100 * score] for at, x_of, _ in rows for score in _seeds(study, arm["name"], at)]
        line: dict[str, Any] = {"name": arm["name"], "x": [x_of for _, x_of, _ in rows], "dots": dots}
        line |= {
            key: [hundred(row.get(other)) for *_, row in rows]
            for key, other in (("y", "mean"), ("low", "low"), ("high", "high"))
        }
        lines.append(line)
    chart = {
        "kind": "lines",
        "title": title,
        "lines": lines,
        "x_label": x_label,
        "y_label": labelled(study.score),
        "x_scale": "log" if min(x) > 0 and max(x) > 3 * min(x) else "linear",
        "interval": "bars",
        "caption": _shown(study),
    }
    drawn = (y for line in lines for y in (*line["y"], *line["low"], *line["high"], *(dot[1] for dot in line["dots"])))
    values = [y for y in drawn if y is not None and math.isfinite(y)]
    constant = hundred(study.named_constant)
    if constant is None or not values:
        return chart
    # Far below, it would press the arms together: then it is told in words.
    if constant > min(values) - 0.25 * (max(values) - min(values)):
        return {**chart, "reference": constant, "reference_name": CONSTANT}
    return {**chart, "caption": f"{_shown(study)} The constant predictor, {constant:.1f}, lies below the chart."}


def _bars(study: Study, title: str, at: Place) -> dict[str, Any]:
    bars = []
    for arm in study.arms:
        if row := study.row(arm["name"], at):
            ends = {
                key: hundred(row.get(other)) for key, other in (("value", "mean"), ("low", "low"), ("high", "high"))
            }
            bars.append(
                {"name": arm["name"], **ends, "dots": [100 * score for score in _seeds(study, arm["name"], at)]}
            )
    chart = {
        "kind": "bars",
        "title": title,
        "bars": bars,
        "value_label": labelled(study.score),
        "caption": _shown(study),
    }
    constant = hundred(study.named_constant)
    return chart if constant is None else {**chart, "reference": constant, "reference_name": CONSTANT}


def _seeds(study: Study, arm: str, at: Place) -> list[float]:
    """The scores of single seeds."""
    cells = [cell for cell in study.cells if cell["arm"] == arm and place(cell) == at and cell["state"] == "finished"]
    return [cell["score"] for cell in cells if cell.get("score") is not None]
