"""A study's tables: cells, differences, labels saved, arms, the search of the learning rates. Loads no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pretint.pages.scores import CONSTANT, named
from pretint.terminal import percent

_MODES = {"finetune": "fine-tuning", "linear": "linear probe", "knn": "k-NN"}

Place = tuple[str, int | None, float]
"""Where scores are compared: mode, depth (stride of the features, None for all), fraction of the labels."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """The content of study.json; what a study that has just begun does not know yet is empty."""

    title: str = "A comparison"
    state: str = "running"
    task: str = ""
    score: str = ""
    verdict: str = ""
    command: str | None = None
    begun: str | None = None
    seconds: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    fractions: Sequence[float] = ()
    seeds: Sequence[int] = ()
    modes: Sequence[str] = ("finetune",)
    test: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    arms: Sequence[Mapping[str, Any]] = ()
    cells: Sequence[Mapping[str, Any]] = ()
    table: Sequence[Mapping[str, Any]] = ()
    differences: Sequence[Mapping[str, Any]] = ()
    labels_saved: Sequence[Mapping[str, Any]] = ()
    constant: Mapping[str, Any] = field(default_factory=dict)
    checks: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Study":
        """From study.json; null stands for what is not known yet."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in content.items() if name in known and value is not None})

    @property
    def places(self) -> list[Place]:
        """Where there are cells, in the order of modes, depths and rising fractions."""
        found = {place(cell) for cell in (*self.cells, *self.table)}
        modes = [*self.modes, *_MODES]
        return sorted(found, key=lambda p: (modes.index(p[0]) if p[0] in modes else len(modes), p[1] or 0, p[2]))

    @property
    def named_constant(self) -> float | None:
        """What the constant predictor scores, in [0, 1]."""
        value: float | None = self.constant.get(self.score)
        return value

    def row(self, arm: str, at: Place) -> Mapping[str, Any] | None:
        """The entry of the table; None where no cell is finished."""
        return next((row for row in self.table if row["arm"] == arm and place(row) == at), None)


def place(entry: Mapping[str, Any]) -> Place:
    """Where a cell, or an entry of the table or of the differences, belongs."""
    return entry["mode"], entry.get("depth"), entry["fraction"]


def where(entry: Mapping[str, Any], *, mode: bool = True) -> str:
    """The same in words: ``10 % of the labels, linear probe at stride 8``; ``mode`` false leaves that away."""
    labels = f"{percent(entry['fraction'])} of the labels"
    return f"{labels}, {mode_words(entry['mode'], entry.get('depth'))}" if mode else labels


def mode_words(mode: str, depth: int | None, *, short: bool = False) -> str:
    """The mode in words, with the depth of the features where it has one; ``short`` for names beside bars."""
    if short:
        return mode + (f", stride {depth}" if depth else "")
    return _MODES.get(mode, mode) + (f" at stride {depth}" if depth else "")


def over(study: Study) -> str:
    """What the intervals of means are over."""
    shared = any(1 < arm.get("pretrainings", 0) < len(study.seeds) for arm in study.arms)
    return "seeds, or over pretrainings where seeds share several" if shared else "seeds"


def cells_tables(study: Study) -> list[dict[str, Any]]:
    """Mean and deviation over seeds of each arm at each place, below the constant predictor's row; a table a mode."""
    return [_cells_table(study, places) for places in _by_mode(study.places)]


def _cells_table(study: Study, places: Sequence[Place]) -> dict[str, Any]:
    rows: list[list[Any]] = []
    if study.named_constant is not None:
        rows.append([CONSTANT, None, None, "", _points(study.named_constant), ""])
    for at in places:
        said = [percent(at[2]), at[1] and f"stride {at[1]}"]
        for arm in study.arms:
            cells = [cell for cell in study.cells if cell["arm"] == arm["name"] and place(cell) == at]
            row = study.row(arm["name"], at)
            if not cells and row is None:
                continue
            done = row["seeds"] if row else 0
            seeds = str(done) if done >= len(cells) else f"{done} of {len(cells)}"
            shown = row or {}
            mean = _with_deviation(shown.get("mean"), shown.get("deviation"))
            rows.append([arm["name"], *said, seeds, mean, _interval(shown.get("low"), shown.get("high"), 1)])
    return _without_constant_columns(
        f"{named(study.score)} on the test pictures, points: mean ± standard deviation over seeds, or over pretrainings where seeds share "
        f"several, and 95 % interval of the mean; {_mode_of(places)}",
        ["arm", "labels", "depth", "seeds", "mean", "95 % interval"],
        rows,
        keep=("arm", "labels", "seeds", "mean", "95 % interval"),
    )


def differences_tables(study: Study) -> list[dict[str, Any]]:
    """Each arm's paired difference to its reference, beside the rows of the reference and of the constant predictor; a table a mode."""
    compared = {place(difference) for difference in study.differences}
    return [_differences_table(study, places) for places in _by_mode([at for at in study.places if at in compared])]


def _differences_table(study: Study, places: Sequence[Place]) -> dict[str, Any]:
    rows: list[list[Any]] = []
    for at in places:
        here = [difference for difference in study.differences if place(difference) == at]
        said = [percent(at[2]), at[1] and f"stride {at[1]}"]
        for reference in dict.fromkeys(difference["reference"] for difference in here):
            own, constant = study.row(reference, at), study.named_constant
            gap = constant - own["mean"] if own and own.get("mean") is not None and constant is not None else None
            rows.append([CONSTANT, reference, *said, "", _signed(gap), "", None, None, ""])
            rows.append([reference, reference, *said, _count(own), "0", "", None, None, "reference"])
            rows += [
                [
                    one["arm"],
                    reference,
                    *said,
                    str(one["seeds"]),
                    _signed(one.get("mean"), one.get("deviation")),
                    _interval(one.get("low"), one.get("high"), 2),
                    _two_digits(one.get("p")),
                    _two_digits(one.get("p_holm")),
                    one["verdict"],
                ]
                for one in here
                if one["reference"] == reference
            ]
    columns = ["arm", "against", "labels", "depth", "n", "difference", "95 % interval", "p", "p, Holm", "verdict"]
    caption = (
        f"Differences in {named(study.score)}, points: mean ± standard deviation of the n paired differences, which are of seeds, "
        f"or of pretrainings where seeds share several; {_mode_of(places)}"
    )
    return _without_constant_columns(
        caption,
        columns,
        rows,
        keep=("arm", "labels", "n", "difference", "95 % interval", "p", "p, Holm", "verdict"),
    )


def _mode_of(places: Sequence[Place]) -> str:
    """The mode of a table's places, with the depth where it is the same for all."""
    depths = {at[1] for at in places}
    return mode_words(places[0][0], depths.pop() if len(depths) == 1 else None)


def _by_mode(places: Sequence[Place]) -> list[list[Place]]:
    return [[at for at in places if at[0] == mode] for mode in dict.fromkeys(at[0] for at in places)]


def labels_table(study: Study) -> dict[str, Any]:
    """What share of the labels an arm needs to reach its reference's score with all of them; open ends are dashes."""
    rows = [
        [
            saved["arm"],
            saved["reference"],
            mode_words(saved["mode"], saved.get("depth")),
            *(None if saved.get(end) is None else percent(saved[end]) for end in ("fraction", "low", "high")),
        ]
        for saved in study.labels_saved
    ]
    return _without_constant_columns(
        "Share of the labels that reaches the reference's score with all of them, and its 95 % interval; "
        "a dash is an end that the measured fractions leave open",
        ["arm", "reference", "mode", "labels needed", "at least", "at most"],
        rows,
        keep=("arm", "labels needed", "at least", "at most"),
    )


def arms_table(study: Study) -> dict[str, Any]:
    """What each arm starts from, how much of it was loaded, and at which learning rate."""
    rows = [
        [
            arm["name"],
            ", ".join(Path(start).name for start in arm.get("init") or ()),
            arm.get("planes"),
            None if arm.get("loaded") is None else f"{100 * arm['loaded']:.1f} %",
            " and ".join(arm.get("parts") or ()) or None,
            arm.get("rate"),
            arm.get("pretrainings"),
        ]
        for arm in study.arms
    ]
    return {
        "caption": "The arms: starting weights, and the share of the parameters that they are",
        "columns": ["arm", "starts from", "planes", "loaded", "parts", "learning rate", "pretrainings"],
        "rows": rows,
    }


def search_table(study: Study) -> dict[str, Any] | None:
    """Held-out scores of the learning rates that were tried; None where none were."""
    rates = sorted({tried["rate"] for arm in study.arms for tried in arm.get("search") or ()})
    if not rates:
        return None
    rows = []
    for arm in study.arms:
        tried = {entry["rate"]: entry["score"] for entry in arm.get("search") or ()}
        if tried:
            rows.append([arm["name"], *(_points(tried.get(rate)) for rate in rates), _rate(arm.get("rate"))])
    return {
        "caption": f"The search of the learning rates: {named(study.score)} on held-out pictures, points",
        "columns": ["arm", *(_rate(rate) for rate in rates), "chosen"],
        "rows": rows,
    }


def _without_constant_columns(
    caption: str, columns: list[str], rows: list[list[Any]], keep: Sequence[str]
) -> dict[str, Any]:
    """A table whose columns that always say the same stand in its caption instead."""
    kept = []
    for number, name in enumerate(columns):
        values = {row[number] for row in rows} - {None}
        if name in keep or len(values) > 1:
            kept.append(number)
        elif name not in ("mode", "depth"):
            caption += "".join(f"; {name}: {value}" for value in values)
        elif name == "mode":
            caption += "".join(f"; {value}" for value in values)
    return {
        "caption": caption,
        "columns": [columns[number] for number in kept],
        "rows": [[row[number] for number in kept] for row in rows],
    }


def _points(value: float | None, digits: int = 1) -> str | None:
    return None if value is None else f"{100 * value:.{digits}f}".replace("-", "−")


def _with_deviation(mean: float | None, deviation: float | None) -> str | None:
    if mean is None:
        return None
    return f"{_points(mean)} ± {_points(deviation)}" if deviation is not None else _points(mean)


def _signed(mean: float | None, deviation: float | None = None) -> str | None:
    if mean is None:
        return None
    text = f"{100 * mean:+.2f}".replace("-", "−")
    return f"{text} ± {100 * deviation:.2f}" if deviation is not None else text


def _interval(low: float | None, high: float | None, digits: int) -> str | None:
    return None if low is None or high is None else f"[{_points(low, digits)}, {_points(high, digits)}]"


def _count(row: Mapping[str, Any] | None) -> str:
    """How many independent scores a row's mean is of."""
    return str(row.get("independent", row["seeds"])) if row else ""


def _two_digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.2g}")


def _rate(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.3g}"
