"""Facts of a run folder: what was trained, on what, for how long, where. Loads no torch."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from pretint.experiments.environment import resumptions
from pretint.pages.scores import NAMES, in_points, named
from pretint.run_folder import RunFolder
from pretint.terminal import counted
from pretint.training.progress import duration


def facts(run: RunFolder) -> list[list[Any]]:
    """Rows (name, value) for a table: what was trained, on what, for how long, where; what is not known is left out."""
    manifest, entries = run.manifest, run.metrics()
    options, data = manifest.get("options", {}), manifest.get("data", {})
    environment = manifest.get("environment", {})
    rows = [
        ("Run", run.path.name),
        ("State", manifest.get("state")),
        ("Method", _method(manifest["kind"], options)),
        ("Data", data_name(data)),
        ("Pictures trained on", data.get("training")),
        ("Pictures held out", data.get("held_out")),
        ("Pictures left out", _left_out(run.path / "left_out.tsv")),
        ("Share of the labels", f"{options['fraction']:.4g}" if options.get("fraction", 1) < 1 else None),
        (
            "Size and batch",
            f"{options['size']} px, {manifest.get('batch_size', options['batch_size'])} a step"
            if "batch_size" in options
            else None,
        ),
        ("Epochs", _epochs(entries, options.get("epochs"), manifest.get("state"))),
        ("Time", duration(manifest["seconds"]) if "seconds" in manifest else None),
        ("Speed", _speed(entries)),
        ("Weights at the start", _loaded(manifest.get("loaded"))),
        ("Best on held-out pictures", _best(run.pointer("best"))),
        ("Seed", options.get("seed")),
        ("Begun", manifest.get("begun")),
        ("Commit", environment.get("commit")),
        ("Machine", machine(environment, options.get("loop", {}))),
        ("Software", _software(environment, ("pretint", "torch", "python"))),
        ("Went on elsewhere", "; ".join(resumptions(manifest.get("environments", [])))),
    ]
    return [[name, value] for name, value in rows if value not in (None, "")]


def _method(kind: str, options: dict[str, Any]) -> str:
    learned = options.get("pretext") or options.get("task")
    words = [kind, *(str(word) for word in (learned, options.get("backbone")) if word)]
    return ", ".join(words) + (f" (recipe {options['recipe']})" if options.get("recipe") else "")


def data_name(data: Mapping[str, Any]) -> str:
    """Last names of the folders: what lies above them is of no use on another machine."""
    folders = data.get("folders") or ([data["folder"]] if "folder" in data else [])
    names = ", ".join(Path(folder).name for folder in folders)
    return f"{names} (fingerprint {data['fingerprint']})" if names and "fingerprint" in data else names


def _left_out(path: Path) -> str | None:
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        kinds = Counter(row["what"] for row in csv.DictReader(file, delimiter="\t"))
    return ", ".join(f"{number:,} {kind}" for kind, number in kinds.items()) or "0"


def _epochs(entries: list[dict[str, Any]], asked: int | None, state: str | None) -> str | int | None:
    begun = max((entry.get("epoch", 0) for entry in entries), default=0)
    done = max((entry["epoch"] for entry in entries if entry.get("kind") == "validation"), default=None)
    if asked is None or done == asked or state == "finished":
        return asked
    return f"{done} of {asked} scored" if done else f"in {begun} of {asked}"


def _speed(entries: list[dict[str, Any]]) -> str | None:
    speeds = [entry["pictures_per_second"] for entry in entries if entry.get("pictures_per_second")]
    return f"{median(speeds):,.3g} pictures a second" if speeds else None


def _loaded(loaded: dict[str, Any] | None) -> str | None:
    if loaded is None:
        return None
    if not loaded["loaded"]:
        how = "random, and frozen" if loaded.get("init") == "random-frozen" else "from scratch"
        return f"{how}: none of {loaded['total']:,} parameters loaded"
    return (
        f"{loaded['share']:.1%} of {loaded['total']:,} parameters from {Path(loaded['init']).name} "
        f"({' and '.join(loaded['parts'])})"
    )


def _best(best: dict[str, Any] | None) -> str | None:
    if not best or "score" not in best:
        return None
    score, value = best["score"], best["value"]
    told = f"{in_points(score, value):.1f} points" if score in NAMES else f"{value:.4g}"
    return f"{named(score)} {told}, epoch {best['epoch']}"


def machine(environment: dict[str, Any], loop: dict[str, Any]) -> str:
    processor = environment.get("processor")
    words = [
        environment.get("gpu"),
        processor and f"{processor}, {counted(environment['cores'], 'core')}"
        if environment.get("cores")
        else processor,
        loop.get("precision"),
    ]
    return "; ".join(str(word) for word in words if word)


def _software(environment: dict[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {environment[name]}" for name in names if name in environment)


def shown_environment(environment: Mapping[str, Any]) -> dict[str, str]:
    """What a run or a study was made with, as text; what is not known is left out."""
    return {name: str(value) for name, value in environment.items() if value is not None}


def compared_facts(runs: Mapping[str, RunFolder]) -> dict[str, Any]:
    """The facts of several runs as a table with a column a run."""
    told = {name: {fact: value for fact, value in facts(run) if fact != "Run"} for name, run in runs.items()}
    order = [name for name, _ in max((facts(run) for run in runs.values()), key=len) if name != "Run"]
    order += [name for name in dict.fromkeys(n for one in told.values() for n in one) if name not in order]
    return {
        "caption": "The runs",
        "columns": ["", *runs],
        "rows": [[name, *(one.get(name) for one in told.values())] for name in order],
    }


def differing_options(runs: Mapping[str, RunFolder]) -> dict[str, Any] | None:
    """The options that are not the same in all runs, as a table; None where all are."""
    told = {name: dict(_flat(run.manifest.get("options", {}))) for name, run in runs.items()}
    names = dict.fromkeys(option for one in told.values() for option in one if option not in ("out", "resume"))
    rows = [[f"--{option}", *(one.get(option) for one in told.values())] for option in names]
    differing = [row for row in rows if any(value != row[1] for value in row[2:])]
    if not differing:
        return None
    return {"caption": "Options that differ", "columns": ["", *runs], "rows": differing}


def _flat(options: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """Options of sections by their names on the command line."""
    for key, value in options.items():
        name = f"{section}{key.replace('_', '-')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, " ".join(map(str, value)) if isinstance(value, list) else value
