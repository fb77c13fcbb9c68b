"""A study is begun, or goes on: what a resumed one must agree with, and what of it may grow."""

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pretint import recipe
from pretint.data.looks import LOOKS, forget_faults
from pretint.data.record import Record, fingerprint
from pretint.errors import DataError, RunError
from pretint.experiments.environment import continued, environment
from pretint.experiments.options import differences
from pretint.experiments.starting import defaults_of
from pretint.studies import checks
from pretint.studies.arms import Arm, parse
from pretint.studies.executor import side_by_side
from pretint.studies.folder import STUDY, StudyFolder
from pretint.studies.options import FREE_ON_RESUME, GROWING, CompareOptions
from pretint.terminal import tell
from pretint.training.hardware import choose_precision, kind_of_device


def begin(options: CompareOptions, quiet: bool) -> tuple[CompareOptions, StudyFolder, dict[str, Any]]:
    """The study's folder, new or resumed, the options with their hardware fixed, and what study.json begins with.

    Raises:
        RunError: the folder holds a study and --resume is not given, or an option that changes results differs.
    """
    values = recipe.as_values(options)
    if options.resume and (options.out / STUDY).exists():
        folder = StudyFolder.open(options.out)
        head = folder.document
        shown = head.get("differences", [])
        fixed = head["options"]["loop"]["precision"]
        if values["loop"]["precision"] == "auto":
            values["loop"]["precision"] = fixed
        changed = [
            name
            for name in differences(recipe.merge(defaults_of(options), head["options"]), values)
            if name not in FREE_ON_RESUME and not (name in GROWING and _grows(head["options"][name], values[name]))
        ]
        if changed:
            raise RunError(
                f"--resume: --{changed[0].replace('_', '-')} differs from the study in {options.out}; "
                "leave it as it was, or begin a new study in another folder"
            )
        head = {k: head[k] for k in ("kind", "task", "title", "options", "command", "environment", "environments", "begun", "seconds", "data", "test", "findings", "weights", "looked_at", "classes", "mask_map") if k in head}  # fmt: skip
        environments, remark = continued(head, {**environment(), "threads": options.threads}, cells=folder.finished())
        if remark:
            head["environments"] = environments
            tell(remark, quiet)
        grown = {name: values[name] for name in GROWING}
        if shown and (before := head["options"]["seeds"]) < options.seeds:
            head["looked_at"] = [*head.get("looked_at", []), before]
        if any(grown[name] != head["options"][name] for name in GROWING):
            head["command"] = _command() or head["command"]
        head["options"] = head["options"] | grown
    else:
        folder = StudyFolder.create(options.out)
        fixed = choose_precision(options.loop)[0]
        values["loop"]["precision"] = fixed
        head = {
            "kind": "study",
            "task": options.task,
            "title": f"{options.task} on {options.data.resolve().name}",
            "options": values,
            "command": _command(),
            "environment": {**environment(), "threads": options.threads},
            "begun": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
    kind = kind_of_device(options.loop)
    jobs = options.jobs if options.jobs > 0 else side_by_side(options.threads, kind)
    # Readers of their own would only take cores from the cells that run side by side; one alone on a GPU waits for its readers.
    workers = 0 if options.loop.workers < 0 and (jobs > 1 or kind == "cpu") else options.loop.workers
    loop = replace(options.loop, precision=fixed, workers=workers)
    return replace(options, jobs=jobs, loop=loop), folder, head


def _command() -> str | None:
    """What was typed, as it would begin the study; None where it was no command line."""
    if Path(sys.argv[0]).name != "pretint":
        return None
    return shlex.join(["pretint", *(word for word in sys.argv[1:] if word != "--resume")])


def arms_in_order(options: CompareOptions) -> CompareOptions:
    """The arms of a study that goes on, those that it had first, as they stood: a scratch arm that nobody asked for is named after the
    first that needs it, and its cells after it.
    """
    if not (options.resume and (options.out / STUDY).exists()):
        return options
    before = [_cells_of(words) for words in StudyFolder.open(options.out).document["options"]["arms"]]
    places = {arm: place for place, arm in enumerate(before)}
    return replace(
        options, arms=tuple(sorted(options.arms, key=lambda words: places.get(_cells_of(words), len(places))))
    )


def _cells_of(words: str) -> Arm:
    """What of an arm its cells hang on: not what it is held against."""
    return replace(parse(words), against=None)


def _grows(before: Any, now: Any) -> bool:
    """Whether a number of seeds, or a list of arms, holds all that it held."""
    if isinstance(now, int):
        return bool(before <= now)
    kept, arms = (set(map(_cells_of, one)) for one in (before, now))
    return kept <= arms


def left_out(
    head: Mapping[str, Any],
    arms: Sequence[Arm],
    training: Sequence[Record],
    test: Sequence[Record],
    folder: StudyFolder,
    options: CompareOptions,
    quiet: bool,
) -> tuple[list[dict[str, str]], list[str]]:
    """What was found of copies, and the test pictures to leave out: as at the first start, so that all cells are scored alike.

    Raises:
        DataError: too few test pictures are left.
        RunError: an arm that was added has seen further test pictures, which finished cells were scored on.
    """
    forget_faults(folder.path / LOOKS)
    if "test" in head:
        findings, without = head["findings"], head["test"]["left_out"]
        new = [arm for arm in arms if not arm.from_nothing and not head["weights"].keys() >= set(arm.inits)]
        added = checks.leaks(new, test, folder.path, options.keep_leaks, quiet)
        if seen := [] if options.keep_leaks else sorted(added.ids - set(without)):
            raise RunError(
                f"--resume: {len(seen)} further test pictures, {seen[0]} among them, are near copies of what the new arms were "
                "pretrained on, and what is finished was scored on them; begin a new study"
            )
        return [*findings, *added.findings], without
    leaks = checks.leaks(arms, test, folder.path, options.keep_leaks, quiet)
    in_training = checks.copies_in_training(training, test, folder.path, quiet)
    without = [] if options.keep_leaks else sorted(leaks.ids)
    if len(test) < 2:
        raise DataError(
            f"--data {options.data}: the test list has {len(test)} picture; what chance does cannot be told from fewer than two"
        )
    if len(test) - len(without) < 2:
        raise DataError(
            f"--data {options.data}: of {len(test)} test pictures {len(without)} are near copies of what an arm was pretrained "
            "on; pretrain with --apart-from, or score on them all the same with --keep-leaks"
        )
    return [*leaks.findings, in_training], without


def weights(head: Mapping[str, Any], arms: Sequence[Arm]) -> dict[str, str]:
    """Which weights the arms start from.

    Raises:
        RunError: others than at the first start.
    """
    now = checks.weights_of(arms)
    for init, before in head.get("weights", now).items():
        if now.get(init) != before:
            raise RunError(
                f"--resume: the weights of {init} have changed since the study was begun; restore them, or begin a new study"
            )
    return now


def labels(head: Mapping[str, Any], classes: Sequence[str], mask_map: Mapping[int, int]) -> dict[str, Any]:
    """What the labels mean: the classes, and the class of each id in a mask.

    Raises:
        RunError: something else than at the first start; the files of pictures and masks would not show it.
    """
    now = {"classes": list(classes), "mask_map": {str(one): index for one, index in sorted(mask_map.items())}}
    if any(head.get(name, known) != known for name, known in now.items()):
        raise RunError(
            f"--resume: the classes have changed since the study was begun ({', '.join(head['classes'])}; now {', '.join(classes)}); "
            "restore them, or begin a new study"
        )
    return now


def data_fingerprint(head: Mapping[str, Any], records: Sequence[Record]) -> str:
    """The fingerprint of the training and test pictures.

    Raises:
        RunError: it is another than at the first start.
    """
    now = fingerprint(records)
    if head.get("data", {}).get("fingerprint", now) != now:
        raise RunError(
            "--resume: the pictures have changed since the study was begun; restore them, or begin a new one"
        )
    return now
