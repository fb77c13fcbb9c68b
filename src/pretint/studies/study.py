"""A study from its options to its results: plan, trials of rates, cells, statistics. What is finished is never run again."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pretint import recipe
from pretint.data.duplicates import refuse_overlap
from pretint.data.layouts import open_source
from pretint.data.masks import validate_masks
from pretint.data.record import Source
from pretint.errors import DataError, Interrupted, PretintError
from pretint.methods import load
from pretint.run_folder import hold
from pretint.studies import checks, opening, variances
from pretint.studies.arms import Arm, resolve
from pretint.studies.executor import run_jobs
from pretint.studies.folder import LOCK, StudyFolder
from pretint.studies.options import CompareOptions
from pretint.studies.plan import (
    Job,
    Pictures,
    cells,
    check_held_out,
    check_positives,
    check_probes,
    searches,
    seeds_of,
    training_pictures,
)
from pretint.studies.progress import StudyProgress
from pretint.studies.results import Results
from pretint.terminal import counted, tell


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

        Repetition by repetition, so that a study that is stopped or looked at early has scored all its arms about as often.
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
    options = opening.arms_in_order(options)
    target = load("tasks", options.task).TARGET
    source = open_source(
        options.data, options.layout, options.classes or None, other_classes=options.other_classes, task=target,
        one_class=options.task == "classification",
    )  # fmt: skip
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
    options, folder, head = opening.begin(options, quiet)
    with hold(folder.path / LOCK, f"{folder.path}: another process runs this study; wait for it or stop it"):
        say = partial(tell, quiet=quiet)

        if source.remark:
            say(source.remark)
        findings, without = opening.left_out(head, arms, chosen.records, source.split(test), folder, options, quiet)
        if without:
            scored = [record for record in source.split(test) if record.id not in set(without)]
            task.check(scored, f"--data {options.data}: what is left of the list {test}", other)
        training, held_out = training_pictures(source, options, options.seed)
        pictures = Pictures(len(training), len(held_out), len(source.split(test)) - len(without))
        check_probes(options, pictures)
        say(
            f"{counted(len(arms), 'arm')} ({', '.join(arm.name for arm in arms)}) at {options.size} px; {counted(pictures.training, 'training picture')}, "
            f"{pictures.held_out} held out, {counted(pictures.test, 'test picture')} ({test})"
        )
        for check in findings:
            say(check["words"])
        head |= {
            "findings": findings,
            "weights": opening.weights(head, arms),
            **opening.labels(head, classes, source.mask_map),
            "score": task.best,
            "test": {"split": test, "pictures": pictures.test, "left_out": without},
            "data": {
                "folder": str(options.data.resolve()),
                "layout": source.layout,
                "split": chosen.name,
                "fingerprint": opening.data_fingerprint(head, (*chosen.records, *source.split(test))),
                "training": pictures.training,
                "held_out": pictures.held_out,
            },
        }
        study = _Study(options, folder, arms, classes, test, without, pictures, head, {})
        return _run(study, [*findings, *checks.of_pretrainings(arms), *checks.of_sizes(arms, options.size)], quiet)


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


def _task_options(options: CompareOptions) -> Any:
    return getattr(options, options.task)
