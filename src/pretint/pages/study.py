"""The report of a study: whether pretraining helped, how sure that is, how many labels it saved. Loads no torch.

A study is the folder that ``pretint compare`` makes; all that is said here comes from its study.json, which is replaced as a
whole after every cell, and from the folders of its runs. So the report can be built while the study runs.
"""

import shlex
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pretint.pages.curves import compared_curves
from pretint.pages.facts import data_name, shown_environment
from pretint.pages.scores import (
    CONSTANT,
    POINTS,
    class_chart,
    class_table,
    first_up,
    listed,
    mean_by_class,
    named,
    scores_by_class,
)
from pretint.pages.study_charts import difference_chart, score_charts
from pretint.pages.study_tables import (
    Study,
    arms_table,
    cells_tables,
    differences_tables,
    labels_table,
    mode_words,
    over,
    place,
    search_table,
    where,
)
from pretint.run_folder import RunFolder
from pretint.studies.folder import StudyFolder
from pretint.terminal import counted, percent
from pretint.training.progress import duration

MOST_SENTENCES = 12
"""Comparisons told in a sentence each; of more, those of the first mode, and the table holds all."""
EXAMPLES = {
    "hardest": ("The hardest pictures", "Test pictures that all arms were worst at."),
    "easiest": ("The easiest pictures", "Test pictures that all arms were best at."),
}
"""Pictures that a study may hold, as ``examples/NAME.png``: what they show, and the caption."""


def study_document(folder: Path) -> dict[str, Any]:
    """The document of a study's page, as `pretint.pages.page.write_page` takes it.

    Args:
        folder: of the study; paths of pictures in the document are absolute.
    Raises:
        RunError: the folder holds no study, or its study.json is damaged.
    """
    study = Study.from_json(StudyFolder(folder).document)
    sections = [
        _verdicts(study),
        _labels_saved(study),
        _scores(study),
        _by_class(study),
        _training(study, folder),
        _examples(folder),
        _checks(study),
        _failed(study),
        _made(study),
    ]
    return {
        "title": study.title,
        "verdict": study.verdict or _so_far(study),
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "summary": [*_state(study), _compared(study)],
        "sections": [section for section in sections if section],
        "notes": _notes(study),
        "commands": _commands(study, folder),
        "environment": shown_environment(study.environment),
    }


def _state(study: Study) -> list[str]:
    """What is still missing; nothing of a study that is whole."""
    states = Counter(cell["state"] for cell in study.cells)
    total = len(study.cells)
    told = []
    if study.state != "finished":
        how = {"running": "is still running", "failed": "broke off with a fault"}.get(study.state, "was interrupted")
        told.append(
            f"The study {how}: {states['finished']} of {total} cells are finished, {states['waiting']} are waiting. "
            "All numbers below are of the finished cells and may change."
        )
    if states["failed"]:
        told.append(f"{states['failed']} of {total} cells failed; they are listed below and count nowhere.")
    return told


def _so_far(study: Study) -> str:
    """In place of a verdict that the study does not hold yet."""
    finished = sum(cell["state"] == "finished" for cell in study.cells)
    return f"Nothing can be said yet: {finished} of {len(study.cells)} cells are finished."


def _compared(study: Study) -> str:
    arms = listed([arm["name"] for arm in study.arms])
    labels = listed([percent(fraction) for fraction in study.fractions])
    test = study.test
    told = f"Compared on {study.task}, with {labels} of the labels and {counted(len(study.seeds), 'seed')}: {arms}. "
    if test.get("pictures"):
        told += f"The score is {named(study.score)} on {counted(test['pictures'], 'test picture')} (split {test.get('split')}). "
    return told + POINTS


def _verdicts(study: Study) -> dict[str, Any] | None:
    if not study.differences:
        return None
    corrected = {d["mode"]: d.get("comparisons") or 1 for d in study.differences}
    several = len({place(difference) for difference in study.differences}) > 1
    modes = len({place(difference)[:2] for difference in study.differences}) > 1
    told = study.differences
    if len(told) > MOST_SENTENCES:
        first = next(mode for mode in (*study.modes, told[0]["mode"]) if mode in corrected)
        told = [difference for difference in told if difference["mode"] == first]
    return {
        "heading": "Did pretraining help?",
        "findings": [
            {
                "mark": difference["verdict"],
                "text": f"{where(difference, mode=modes)}: {difference['words']}" if several else difference["words"],
            }
            for difference in told
        ],
        "charts": [difference_chart(study, told)],
        "tables": differences_tables(study),
        "text": [
            f"Differences are paired by seed. p is corrected for the number of comparisons{_by_mode(corrected)} (Holm); the verdict "
            "follows from the corrected p at 0.05."
            if max(corrected.values()) > 1
            else "Differences are paired by seed; the verdict follows from p at 0.05."
        ],
    }


def _by_mode(corrected: Mapping[str, int]) -> str:
    """For how many comparisons p is corrected: ``, 8``, or of each mode by itself."""
    if len(corrected) == 1:
        return f", {next(iter(corrected.values()))}"
    return " of its mode, " + ", ".join(f"{mode_words(mode, None)} {count}" for mode, count in corrected.items())


def _labels_saved(study: Study) -> dict[str, Any] | None:
    if not study.labels_saved:
        return None
    several = len({(saved["mode"], saved.get("depth")) for saved in study.labels_saved}) > 1
    return {
        "heading": "How many labels it saved",
        "findings": [
            {
                "mark": "open" if saved.get("fraction") is None else percent(saved["fraction"]),
                "text": f"{first_up(mode_words(saved['mode'], saved.get('depth')))}: {saved['words']}"
                if several
                else saved["words"],
            }
            for saved in study.labels_saved
        ],
        "tables": [labels_table(study)],
    }


def _scores(study: Study) -> dict[str, Any]:
    return {"heading": "Scores", "charts": score_charts(study), "tables": cells_tables(study)}


def _by_class(study: Study) -> dict[str, Any] | None:
    """Scores by class with the most labels, mean over seeds."""
    finished = [cell for cell in study.cells if cell["state"] == "finished" and cell.get("scores")]
    if not finished:
        return None
    fraction = max(cell["fraction"] for cell in finished)
    mode = next(mode for mode in (*study.modes, finished[0]["mode"]) if any(c["mode"] == mode for c in finished))
    chosen = [cell for cell in finished if cell["fraction"] == fraction and cell["mode"] == mode]
    if not chosen:
        return None
    depth = chosen[0].get("depth")
    chosen = [cell for cell in chosen if cell.get("depth") == depth]
    names = dict.fromkeys(score for cell in chosen for score in scores_by_class(cell["scores"]))
    said = f", {where(chosen[0])}"
    charts, tables = [], []
    for score in names:
        arms = {}
        for arm in study.arms:
            results = [
                cell["scores"][score] for cell in chosen if cell["arm"] == arm["name"] and score in cell["scores"]
            ]
            if results:
                arms[arm["name"]] = mean_by_class(results)
        constant = study.constant.get(score)
        if isinstance(constant, Mapping):
            arms[CONSTANT] = dict(constant)
        charts.append(class_chart(score, arms, where=said, caption="Means over seeds."))
        tables.append(class_table(score, arms, where=said))
    return {"heading": "Scores by class", "charts": charts, "tables": tables} if charts else None


def _training(study: Study, folder: Path) -> dict[str, Any] | None:
    """Curves of one fine-tuning an arm in the same charts: those of the repetition of which most arms have a run."""
    first: dict[str, int] = {}
    for cell in study.cells:
        first[cell["arm"]] = min(cell["seed"], first.get(cell["arm"], cell["seed"]))
    runs: dict[tuple[float, int], dict[str, RunFolder]] = {}
    for cell in study.cells:
        path = folder / "runs" / cell["key"]
        if cell["mode"] == "finetune" and (path / "metrics.jsonl").is_file() and (path / "run.json").is_file():
            repetition = cell["seed"] - first[cell["arm"]]
            runs.setdefault((cell["fraction"], repetition), {})[cell["arm"]] = RunFolder(path)
    if not runs:
        return None
    fraction, repetition = max(runs, key=lambda place: (len(runs[place]), place[0], -place[1]))
    chosen = runs[fraction, repetition]
    order = [arm["name"] for arm in study.arms if arm["name"] in chosen]
    seeds = {first[name] + repetition: [n for n in order if first[n] == first[name]] for name in order}
    told = "; ".join(
        f"seed {seed}" + (f" of {listed(names)}" if len(seeds) > 1 else "") for seed, names in seeds.items()
    )
    same = ", the same data in the same order" if len(seeds) == 1 else ""
    return {
        "heading": "Training",
        "text": [f"One fine-tuning an arm: {told}, {percent(fraction)} of the labels{same}."],
        "charts": compared_curves({name: chosen[name] for name in order}, only=study.score),
    }


def _examples(folder: Path) -> dict[str, Any] | None:
    images = [
        {"path": str(path), "alt": title, "caption": f"{title}. {caption}"}
        for name, (title, caption) in EXAMPLES.items()
        if (path := (folder / "examples" / f"{name}.png").resolve()).is_file()
    ]
    return {"heading": "Pictures", "images": images} if images else None


def _checks(study: Study) -> dict[str, Any] | None:
    if not study.checks:
        return None
    worst_first = sorted(study.checks, key=lambda check: ("warning", "unknown", "ok").index(check["state"]))
    findings = [{"mark": check["state"], "text": _sentence(check["name"], check["words"])} for check in worst_first]
    return {
        "heading": "Checks",
        "text": ["What can make such a comparison wrong, and what was found of it here."],
        "findings": findings,
    }


def _failed(study: Study) -> dict[str, Any] | None:
    failed = [cell for cell in study.cells if cell["state"] == "failed"]
    if not failed:
        return None
    return {
        "heading": "Cells that failed",
        "text": ["The same command with --resume runs them again."],
        "findings": [
            {
                "mark": "failed",
                "text": f"{cell['arm']}, {where(cell)}, seed {cell['seed']}: {cell.get('error') or 'no reason is known'}",
            }
            for cell in failed
        ],
    }


def _made(study: Study) -> dict[str, Any]:
    data, test = study.data, study.test
    rows = [
        ("Task", study.task),
        ("Score", named(study.score)),
        ("Data", data_name(data)),
        ("Pictures trained on", data.get("training")),
        ("Pictures held out", data.get("held_out")),
        ("Test pictures", f"{test['pictures']:,} ({test.get('split')})" if test.get("pictures") else None),
        ("Labels", ", ".join(map(percent, study.fractions))),
        ("Seeds", ", ".join(map(str, study.seeds))),
        ("Recipe", study.options.get("recipe")),
        ("Begun", study.begun),
        ("Time", None if study.seconds is None else duration(study.seconds)),
    ]
    search = search_table(study)
    table = {"caption": "The study", "columns": ["", ""], "rows": [[k, v] for k, v in rows if v not in (None, "")]}
    return {
        "heading": "How it was made",
        "text": [_repeated(study)],
        "tables": [table, arms_table(study), *([search] if search else [])],
    }


def _repeated(study: Study) -> str:
    """Which part of the way the seeds repeated: it decides what the intervals speak of."""
    several = [arm["name"] for arm in study.arms if arm.get("pretrainings", 0) > 1]
    single = [arm["name"] for arm in study.arms if arm.get("pretrainings", 0) == 1]
    told = f"The seeds repeat the {'fine-tuning' if 'finetune' in study.modes else 'choice of the labelled pictures'}."
    if several:
        told += f" Of {listed(several)} they repeat the pretraining too."
    if single:
        told += (
            f" {listed(single)} {'is' if len(single) == 1 else 'are each'} one pretraining: "
            "how much another pretraining would differ is not in the intervals."
        )
    return told


def _notes(study: Study) -> list[str]:
    return [
        f"Intervals are 95 % intervals over {over(study)}; that of a difference is paired, and over test pictures too. They speak of this data and this recipe, not of others.",
        "No evidence is not evidence of no difference: few seeds find large differences alone.",
        "The constant predictor knows nothing but the labels' frequencies; an arm has learned what it scores above that row.",
        *(
            ["The learning rate of each arm was chosen on held-out pictures, never on test pictures."]
            if any(arm.get("search") for arm in study.arms)
            else []
        ),
    ]


def _commands(study: Study, folder: Path) -> list[str]:
    return [*([study.command] if study.command else []), shlex.join(["pretint", "report", str(folder)])]


def _sentence(name: str, words: str) -> str:
    """A check's words behind its name, where they do not begin with it; the arm that ends a name is not said twice."""
    kind, comma, arm = name.rpartition(", ")
    if comma and words.startswith(f"{arm}:"):
        name = kind
    return words if words.lower().startswith(name.lower()) else f"{first_up(name.replace('_', ' '))}: {words}"
