"""The document of ``pretint bench`` as tables of words, for a terminal and for a page. Loads no torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pretint.speed.busy import QUIET

Found = Mapping[str, Any] | None


@dataclass(frozen=True)
class Table:
    """A table with a title and what is to be said below it; the first column is left-aligned, the others right."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""


def number(value: float) -> str:
    """Three figures that count: 0.0123, 1.23, 12.3, 123, 1,234."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3g}"


def shown(found: Found, spread: bool = True) -> str:
    """A median, with its spread where there are several timings, and ``?`` where the machine was too busy."""
    if found is None:
        return ""
    words = number(found["median"])
    if spread and found["runs"] > 1:
        words += f" ({number(found['low'])} to {number(found['high'])})"
    return words if found["quiet"] else f"{words} ?"


def percent(found: Found) -> str:
    """A share as percent."""
    return "" if found is None else f"{100 * found['median']:.0f} %" + ("" if found["quiet"] else " ?")


def machine_lines(document: Mapping[str, Any]) -> list[str]:
    """What machine this is, what was chosen on it, and whether it was quiet."""
    machine = document["machine"]
    gpu = f", {machine['gpu']}" if machine["gpu"] else ""
    lines = [
        f"{machine['processor']}{gpu}; cores: {machine['cores']}, threads: {machine['threads']}; "
        f"torch {machine['torch']}, pretint {machine['pretint']}"
        + (f" ({machine['commit']})" if machine["commit"] else ""),
        f"precision: {machine['precision']} ({machine['why']})",
    ]
    on_cpu_time = machine["clock"] == "cpu"
    if on_cpu_time:
        lines.append("clock: CPU time of one thread, which leaves out what others use, but not their memory traffic")
    if machine["others"] is None:
        lines.append("whether others were busy is not known here (no /proc/stat)")
    else:
        taken = f"others used {machine['others']:.0%} of the cores' time, the host took {machine['stolen']:.0%}"
        quiet = (0 if on_cpu_time else machine["others"]) + machine["stolen"] <= QUIET
        lines.append(taken if quiet else f"{taken}: busy; what is marked ? was timed meanwhile and tells little")
    return lines


def tables(document: Mapping[str, Any]) -> Iterator[Table]:
    """All tables of what was measured."""
    if document["peaks"]:
        rows = [
            (f"copy of {p['size'] >> 20} MiB, read and written" if p["unit"] == "GB/s" else f"matmul {p['kind']}, {p['size']}",
             shown(p), p["unit"])
            for p in document["peaks"]
        ]  # fmt: skip
        yield Table("What the machine can do", ("", "median (least to most)", ""), rows)
    for step in document["step"]:
        yield _step(step)
    if document["feed"]:
        yield from _feed(document["feed"])
    if document["colorize"]:
        yield from _colorize(document["colorize"])
    if document["memory"]:
        yield _memory(document["memory"])
    for curve in document["curves"]:
        points = [
            (p["at"], shown(p["seconds"]), number(p["work"]), "" if p["to_linear"] is None else f"{p['to_linear']:.2f}")
            for p in curve["points"]
        ]
        yield Table(
            f"Time against {curve['name']}: {curve['verdict']}", ("", "seconds", curve["unit"], "to linear"), points
        )
    if document["start"]:
        names = {"help": "pretint --help", "first_step": "pretint pretrain, until the first step is done"}
        begun = [(words, shown(document["start"][name])) for name, words in names.items() if document["start"][name]]
        yield Table("Start", ("", "seconds"), begun)
    yield _targets(document["targets"])


def _step(step: Mapping[str, Any]) -> Table:
    rows = [
        (rung["name"], shown(rung["images_per_second"]), number(rung["against_plain"]["median"]) if rung["against_plain"] else "",
         percent(rung["share_of_peak"]), percent(rung["share_of_roofline"]))
        for rung in step["rungs"]
    ]  # fmt: skip
    bounds = ", ".join(
        f"{number(found['median'])} images/s in {precision}"
        for precision, found in step["roofline_images_per_second"].items()
        if found
    )
    note = f"{number(step['gflop_a_picture'])} GFLOP a picture; roofline: {bounds or 'not known'}"
    return Table(
        f"{step['title']}, batch {step['batch']}: from the plain step to pretint's",
        ("step", "images/s", "x plain", "of peak", "of roofline"), rows, note,
    )  # fmt: skip


def _feed(feed: Mapping[str, Any]) -> Iterator[Table]:
    for training in feed["trainings"]:
        rows = [
            (stage + (" (limits)" if stage == training["limiting"] else ""), number(1e6 * one["seconds_a_picture"]["median"]),
             shown(one["pictures_per_second"], spread=False) if one["seconds_a_picture"]["median"] else "")
            for stage, one in training["stages"].items() if one["seconds_a_picture"]
        ]  # fmt: skip
        note = (
            f"Read to resize is the reading processes' work: {number(1 / training['reading_seconds'])} images/s a core"
        )
        yield Table(
            f"Feed, {training['training']}, a picture on one core", ("stage", "microseconds", "images/s"), rows, note
        )
    waits = feed["waits"]
    note = (
        "" if waits is None else f"A training waited {percent(waits)} of the time; reading processes: {feed['workers']}"
    )
    ways = [(way["name"], shown(way["pictures_per_second"])) for way in feed["ways"]]
    yield Table("Feed as a whole, mirrored, one core", ("from: to", "images/s"), ways, note)


def _colorize(colorize: Mapping[str, Any]) -> Iterator[Table]:
    rows = [
        (f"{row['megapixels']:g}", shown(row["seconds"]), *(number(row["stages"].get(s, 0)) for s in _COLOR_STAGES))
        for row in colorize["photos"]
    ]
    parts = [
        f"{words} {shown(colorize[key], spread=False)} images/s"
        for key, words in (
            ("plain_pictures_per_second", "plain network"),
            ("network_pictures_per_second", "pretint's"),
            ("alike_pictures_per_second", "in colorize's arithmetic"),
            ("folder_pictures_per_second", "a folder with files"),
        )
        if colorize[key]
    ]
    note = "Small pictures: " + ", ".join(parts) if parts else ""
    yield Table("colorize, a photo from file to file, seconds", ("megapixels", "all", *_COLOR_STAGES), rows, note)


_COLOR_STAGES = ("read", "network", "colours", "write")


def _memory(rows: Sequence[Mapping[str, Any]]) -> Table:
    gpu = any(row.get("gpu_GB") for row in rows)
    words = [
        (
            row["what"],
            f"{row['GB']:.2f} GB" if "GB" in row else f"{row['MB']:.2f} MB",
            *([f"{row['gpu_GB']:.2f} GB" if row.get("gpu_GB") else ""] if gpu else []),
        )
        for row in rows
    ]
    return Table("Memory, at the most", ("", "resident", *(["GPU"] if gpu else [])), words)


def _targets(targets: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    left_out = [target["what"] for target in targets if target["answer"] == "not measured"]
    for target in targets:
        if target["answer"] == "not measured":
            continue
        sign = "\N{GREATER-THAN OR EQUAL TO}" if target["more_is_better"] else "\N{LESS-THAN OR EQUAL TO}"
        share = target["unit"] == "%"
        found = target["found"]
        words = percent(found) if share else shown(found, spread=False)
        met = target["answer"]
        if met == "no" and target["never"] is not None and found["median"] < target["never"]:
            met = f"no, below {target['never']:.0%}"
        wanted = f"{target['wanted']:.0%}" if share else f"{number(target['wanted'])} {target['unit']}".strip()
        rows.append((target["what"], f"{sign} {wanted.replace('%', ' %')}", words, met.replace("%", " %")))
    note = f"Not measured: {'; '.join(left_out)}" if left_out else ""
    return Table("Targets", ("", "wanted", "found", "met"), rows, note)
