"""A study from its options to its results: plan, trials of rates, cells, statistics. What is finished is never run again."""

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pretint import recipe
from pretint.data.duplicates import refuse_overlap
from pretint.data.layouts import open_source
from pretint.data.looks import LOOKS, forget_faults
from pretint.data.masks import validate_masks
from pretint.data.record import Record, Source, fingerprint
from pretint.errors import DataError, Interrupted, PretintError, RunError
from pretint.experiments.environment import continued, environment
from pretint.experiments.options import differences
from pretint.experiments.starting import defaults_of
from pretint.methods import load
from pretint.run_folder import hold
from pretint.studies import checks, variances
from pretint.studies.arms import Arm, parse, resolve
from pretint.studies.executor import run_jobs, side_by_side
from pretint.studies.folder import LOCK, STUDY, StudyFolder
from pretint.studies.options import FREE_ON_RESUME, GROWING, CompareOptions
from pretint.studies.plan import (
    Job,
    Pictures,
    cells,
    check_held_out,
    check_positives,
    searches,
    seeds_of,
    training_pictures,
)
from pretint.studies.progress import StudyProgress
from pretint.studies.results import Results
from pretint.training.hardware import choose_precision, kind_of_device


@dataclass
class _Study:
    """A study that is about to run."""

    options: CompareOptions
    folder: StudyFolder
    arms: tuple[Arm, ...]
    classes: list[str]
    test: str
    without: list[str]
    pictures: Pictures
    head: dict[str, Any]
    rates: dict[str, float]

    def jobs(self) -> list[Job]:
        """The cells that can run: all probes, and the fine-tunings of all arms whose rate is known.

        Repetition by repetition, so that a study that is stopped or looked at early can hold its arms against each other.
        """
        ready = [
            (seeds_of(arm, self.options).index(job.seed), job)
            for arm in self.arms
            for job in self.cells_of(arm)
            if arm.name in self.rates or job.kind != "finetune"
        ]
        return [job for _, job in sorted(ready, key=lambda one: one[0])]

    def cells_of(self, arm: Arm) -> list[Job]:
        return cells(arm, self.options, self.folder.path, self.pictures, self.rates.get(arm.name, self.options.rate))

    def as_sent(self, job: Job) -> dict[str, Any]:
        """A job as a worker takes it."""
        first = next(arm for arm in self.arms if arm.name == job.arm)
        return {
            **vars(job),
            "study": str(self.folder.path),
            "test": self.test,
            "without": self.without,
            "classes": self.classes,
            "keep_weights": self.options.keep_weights,
            "keep_masks": job.fraction == max(self.options.fractions) and job.seed == seeds_of(first, self.options)[0],
        }


def compare(options: CompareOptions, quiet: bool = False) -> dict[str, Any]:
    """Run or resume a study; gives back the content of its study.json.

    Raises:
        PretintError: the options, the data, the arms or the folder are not right, or every cell failed.
        Interrupted: stopped by a signal; finished cells and the trainings in hand are saved.
    """
    options.check_search()
    target = load("tasks", options.task).TARGET
    source = open_source(
        options.data, options.layout, options.classes or None, other_classes=options.other_classes, task=target
    )
    classes = source.classes_for(options.task, target)
    test = _test_list(source, options)
    chosen = source.training_split(options.split)
    refuse_overlap(chosen.name, chosen.records, test, source.split(test))
    if target == "mask":
        for records in (chosen.records, source.split(test)):
            validate_masks(records, source.mask_map)
    arms = resolve(options.arms, recipe.as_values(options))
    check_positives(source, options, arms)
    task = load("tasks", options.task).build(_task_options(options), classes)
    variances.check(task.best)
    other = "choose other --classes, or other lists with --split and --test"
    for records, name in ((chosen.records, chosen.name), (source.split(test), test)):
        task.check(records, f"--data {options.data}: the list {name}", other)
    check_held_out(source, options, arms, task)
    options, folder, head = _opened(options, quiet)
    with hold(folder.path / LOCK, f"{folder.path}: another process runs this study; wait for it or stop it"):

        def say(line: str) -> None:
            if not quiet:
                print(line, file=sys.stderr)

        findings, without = _left_out(head, arms, chosen.records, source.split(test), folder, options, quiet)
        if without:
            scored = [record for record in source.split(test) if record.id not in set(without)]
            task.check(scored, f"--data {options.data}: what is left of the list {test}", other)
        training, held_out = training_pictures(source, options, options.seed)
        pictures = Pictures(len(training), len(held_out), len(source.split(test)) - len(without))
        say(
            f"{len(arms)} arms ({', '.join(arm.name for arm in arms)}); {pictures.training} training pictures, "
            f"{pictures.held_out} held out, {pictures.test} test pictures ({test})"
        )
        for check in findings:
            say(check["words"])
        head |= {
            "findings": findings,
            "weights": _weights(head, arms),
            **_labels(head, classes, source.mask_map),
            "score": task.best,
            "test": {"split": test, "pictures": pictures.test, "left_out": without},
            "data": {
                "folder": str(options.data.resolve()),
                "layout": source.layout,
                "split": chosen.name,
                "fingerprint": _fingerprint(head, (*chosen.records, *source.split(test))),
                "training": pictures.training,
                "held_out": pictures.held_out,
            },
        }
        study = _Study(options, folder, arms, classes, test, without, pictures, head, {})
        return _run(study, [*findings, *checks.of_pretrainings(arms)], quiet)


def _run(study: _Study, findings: Sequence[dict[str, str]], quiet: bool) -> dict[str, Any]:
    options, folder = study.options, study.folder
    trials = {arm.name: searches(arm, options, folder.path, study.pictures) for arm in study.arms}
    results = Results(study.folder, study.head["score"], study.arms, options)
    begun, before = time.monotonic(), study.head.get("seconds", 0.0)
    failed: dict[str, str] = {}

    def write(state: str, compute: bool = False) -> dict[str, Any]:
        here = checks.of_environments(study.head.get("environments", []), folder.finished())
        document = results.document(
            {**study.head, "state": state, "seconds": round(before + time.monotonic() - begun, 1)},
            trials, {arm.name: study.cells_of(arm) for arm in study.arms}, study.rates, failed, [*findings, *here],
            compute=compute,
        )  # fmt: skip
        folder.write(document)
        results.write_table(document)
        return document

    write("running")
    everything = [job for jobs in trials.values() for job in jobs]
    everything += [job for arm in study.arms for job in study.cells_of(arm)]
    left = [job for job in everything if folder.outcome(job.key) is None]
    try:
        with StudyProgress(everything, left, study.pictures, options.jobs, quiet) as progress:
            if left:
                progress.estimate(_times(study, left))

            def done(job: Mapping[str, Any], outcome: dict[str, Any]) -> list[dict[str, Any]]:
                if job["kind"] == "variance":
                    if outcome["state"] == "finished":  # else it is computed in the end
                        results.variances.put(job["pair"], outcome["variance"], outcome["pictures"])
                else:
                    if outcome["state"] == "failed":
                        failed[job["key"]] = outcome["error"]
                    progress.done(job, outcome, study.head["score"])
                write("running")
                return results.variances.jobs()

            def run(jobs: Sequence[Job]) -> None:
                waiting = [study.as_sent(job) for job in jobs if folder.outcome(job.key) is None]
                if waiting:
                    run_jobs(waiting, count=options.jobs, threads=options.threads, folder=folder.path, done=done)

            run([job for jobs in trials.values() for job in jobs])
            for arm in study.arms:
                if (rate := results.best_rate(trials[arm.name], options)) is not None:
                    study.rates[arm.name] = rate
                else:
                    ended = all(folder.outcome(job.key) for job in trials[arm.name])
                    why = (
                        "not run, since its training diverged at every learning rate that was tried; begin a study with lower --rates"
                        if ended
                        else "not run, since a trial of its learning rate failed"
                    )
                    failed.update({job.key: why for job in study.cells_of(arm) if job.kind == "finetune"})
            run(study.jobs())
    except (Interrupted, KeyboardInterrupt):
        write("interrupted")
        raise
    except BaseException:
        write("failed")
        raise
    document = write("finished", compute=True)
    for job in everything:
        if folder.outcome(job.key) is not None and not options.keep_weights:
            folder.forget_weights(job.key)
    if failed and not any(cell["state"] == "finished" for cell in document["cells"]):
        raise PretintError(f"{folder.path}: every cell failed; the first: {next(iter(failed.values()))}")
    return document


def _times(study: _Study, left: Sequence[Job]) -> dict[str, float]:
    """Seconds of a training step of each arm that still has work, as a worker measures them."""
    first = {job.arm: job for job in left if job.kind != "features"}
    found: dict[str, float] = {}
    jobs = [{**study.as_sent(job), "key": name, "kind": "time"} for name, job in first.items()]

    def done(job: Mapping[str, Any], outcome: dict[str, Any]) -> None:
        if "seconds_a_step" in outcome:
            found[job["key"]] = outcome["seconds_a_step"]

    if jobs:
        run_jobs(jobs, count=1, threads=study.options.threads, folder=study.folder.path, done=done)
    return found


def _opened(options: CompareOptions, quiet: bool) -> tuple[CompareOptions, StudyFolder, dict[str, Any]]:
    """The study's folder, new or resumed, the options with their hardware fixed, and what study.json begins with."""
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
            if not quiet:
                print(remark, file=sys.stderr)
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


def _grows(before: Any, now: Any) -> bool:
    """Whether a number of seeds, or a list of arms, holds all that it held; what an arm is held against changes no cell of it."""
    if isinstance(now, int):
        return bool(before <= now)
    kept, arms = ({replace(parse(words), against=None) for words in one} for one in (before, now))
    return kept <= arms


def _test_list(source: Source, options: CompareOptions) -> str:
    """The list to score on; unlike ``evaluate`` never all pictures, of which most are trained on.

    Raises:
        DataError: there is none.
    """
    if options.test is None and not {"test", "val"} & source.splits.keys():
        raise DataError(
            f"--data {options.data}: has no list test or val to compare on; add one, or name a list with --test"
        )
    return source.test_split(options.test).name


def _left_out(
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


def _weights(head: Mapping[str, Any], arms: Sequence[Arm]) -> dict[str, str]:
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


def _labels(head: Mapping[str, Any], classes: Sequence[str], mask_map: Mapping[int, int]) -> dict[str, Any]:
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


def _fingerprint(head: Mapping[str, Any], records: Sequence[Record]) -> str:
    now = fingerprint(records)
    if head.get("data", {}).get("fingerprint", now) != now:
        raise RunError(
            "--resume: the pictures have changed since the study was begun; restore them, or begin a new one"
        )
    return now


def _task_options(options: CompareOptions) -> Any:
    return getattr(options, options.task)
