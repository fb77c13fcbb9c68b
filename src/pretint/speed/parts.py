"""The other parts of the measurement: start, feed, colouring, memory; and what each leaves in the document."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pretint.data.processes import cores
from pretint.errors import ResourceError
from pretint.speed import photos
from pretint.speed.coloring import STAGES as COLOR_STAGES
from pretint.speed.feeding import READERS, STAGES
from pretint.speed.samples import Sample, as_json, estimate, rate, ratio
from pretint.speed.session import Session, available_gigabytes, wall
from pretint.speed.targets import CARD, GROWTH
from pretint.speed.work import values_of

LARGEST_GIGABYTES = 3.0
"""Free memory below which 48 megapixels are left alone."""


def measure_start(session: Session) -> None:
    """How long the help takes, and the first step of a pretraining from the command on."""
    command = [sys.executable, "-m", "pretint"]
    for _ in range(session.plan.rounds):
        session.say("pretint --help")
        sample = wall(lambda: subprocess.run([*command, "--help"], stdout=subprocess.DEVNULL, check=True), 1)
        session.samples.setdefault(("start", "help"), []).append(sample)
    if not session.plan.card:  # the quick plan leaves it out: it takes longer than it tells
        return
    pictures = session.photos()
    for number in range(2):
        session.say("pretint pretrain: the first step")
        session.samples.setdefault(("start", "first step"), []).append(
            first_step(session.folder / f"first{number}", command, pictures)
        )


def first_step(out: Path, command: list[str], pictures: Path) -> Sample:
    """From the command to the first line that the loop writes of a step; the checks of 96 pictures are in it.

    Raises:
        ResourceError: it ended before that.
    """
    metrics = out / "metrics.jsonl"

    def begun_to_learn() -> bool:
        return metrics.exists() and metrics.stat().st_size > 0

    arguments = ["pretrain", "--data", pictures, "--out", out, "--validation", "0", "--loop.log-every", "1"]
    seconds = 0.0

    def run() -> None:
        nonlocal seconds
        begun = time.perf_counter()
        process = subprocess.Popen([*command, *map(str, arguments)], stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            while process.poll() is None and not begun_to_learn():
                time.sleep(0.02)
            seconds = time.perf_counter() - begun
            if not begun_to_learn():
                raise ResourceError(
                    f"pretint pretrain ended before its first step (exit code {process.returncode}), "
                    "most likely for memory; close other programs"
                )
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    sample = wall(run, cores())
    return Sample(seconds, sample.contention)


def start_document(session: Session) -> dict[str, Any] | None:
    """Seconds of the help and of the first step."""
    found = {"help": session.estimate("start", "help"), "first_step": session.estimate("start", "first step")}
    return {name: as_json(one) for name, one in found.items()} if any(found.values()) else None


def measure_feed(session: Session) -> None:
    """Each stage, each whole way, and the waiting of a training; one core but for the last."""
    plan, pictures = session.plan, session.photos()
    trained = {
        name: {"size": values["size"], "view": values["view"]}
        for name, values in ((name, values_of(r, **changes)) for name, (r, changes) in plan.trained.items())
    }
    session.say("shards")
    with session.child("feed", threads=1, photos=str(pictures), trained=trained) as child:
        ways = child.start()["ways"]
        session.facts["ways",] = ways
        for _ in range(plan.rounds):
            for name in trained:
                for stage in STAGES:
                    session.say(f"{stage}, {name}")
                    session.keep(("stage", name, stage), child.ask(stage=stage, trained=name, least=plan.least / 4))
            for number, (name, _) in enumerate(ways):
                session.say(name)
                session.keep(("way", name), child.ask(way=number, least=plan.least / 4))
        session.weigh("feed, one process", child)
    recipe_name, changes = next(iter(plan.trained.values()))
    values = values_of(recipe_name, **changes)
    session.say("a training on files")
    case = {"values": values, "batch": min(32, plan.photos), "precision": session.precision, "photos": str(pictures)}
    with session.child("fed", **case) as child:
        session.facts["workers",] = child.start()["workers"]
        for _ in range(min(3, plan.rounds)):
            answer = child.ask(least=plan.fed_seconds / 3)
            waited = Sample(answer["waited"], answer["sample"]["contention"])
            session.samples.setdefault(("waits",), []).append(waited)


def feed_document(session: Session) -> dict[str, Any] | None:
    """Stages with the one that limits, ways with their goals, and the share of the time that a training waits."""
    if ("ways",) not in session.facts:
        return None
    trainings = []
    for name in session.plan.trained:
        times = {stage: session.estimate("stage", name, stage) for stage in STAGES}
        known = {stage: time for stage, time in times.items() if time is not None}
        if not known:
            continue
        trainings.append(
            {
                "training": name,
                "stages": {
                    stage: {"seconds_a_picture": as_json(time), "pictures_per_second": as_json(rate(time, 1))}
                    for stage, time in times.items()
                },
                "limiting": max(known.items(), key=lambda item: item[1].median)[0],
                "reading_seconds": sum(known[s].median for s in STAGES[:READERS] if s in known),
                "device_seconds": sum(known[s].median for s in STAGES[READERS:] if s in known),
            }
        )
    ways = [
        {"name": name, "goal": goal, "pictures_per_second": as_json(rate(session.estimate("way", name), 1))}
        for name, goal in session.facts["ways",]
        if session.estimate("way", name)
    ]
    waits = session.estimate("waits")
    return {"trainings": trainings, "ways": ways, "waits": as_json(waits), "workers": session.facts.get(("workers",))}


def measure_colorize(session: Session) -> None:
    """Large photos one by one, each in a process of its own; then a folder of small ones."""
    plan = session.plan
    values = values_of("small", **plan.colorizer)
    for megapixels in plan.megapixels:
        what = f"colorize, {megapixels:g} megapixels"
        free = available_gigabytes()
        if megapixels > 20 and free is not None and free < LARGEST_GIGABYTES:
            session.missing[what] = f"{what}: needs {LARGEST_GIGABYTES:g} GB of free memory, and {free:.1f} are free"
            continue
        session.try_to(what, lambda: _large(session, values, megapixels, what))  # noqa: B023
    small = {**values, "size": plan.folder_size}
    session.say("a folder")
    with session.child("folder", values=small, pictures=plan.folder_pictures) as child:
        child.start()
        for _ in range(min(3, plan.rounds)):
            for way in ("plain", "network", "alike", "folder"):
                session.say(f"{plan.folder_pictures} pictures, {way}")
                session.keep(("colorize", way), child.ask(way=way, least=plan.least))


def _large(session: Session, values: dict[str, Any], megapixels: float, what: str) -> None:
    name, once = f"{megapixels:g}", megapixels > 20
    session.say(f"{name} megapixels")
    photo = photos.write_large(session.folder / f"photo-{name}.jpg", megapixels)
    with session.child("colorize", values=values, photo=str(photo)) as child:
        child.start()
        if not once:
            child.ask(stage="all")  # the first call of everything, which is not counted
        for _ in range(1 if once else min(3, session.plan.rounds)):
            session.keep(("large", name), child.ask(stage="all"))
            session.weigh(what, child)
            for stage, seconds in child.ask(stage="stages")["stages"].items():
                session.samples.setdefault(("large", name, stage), []).append(Sample(seconds))


def colorize_document(session: Session) -> dict[str, Any] | None:
    """Latency by size with its stages; the folder's rate against the network's."""
    rows = []
    for megapixels in session.plan.megapixels:
        name = f"{megapixels:g}"
        whole = session.estimate("large", name)
        if whole is None:
            continue
        parts = {stage: estimate(session.samples.get(("large", name, stage), [])) for stage in COLOR_STAGES[:-1]}
        stages = {stage: one.median for stage, one in parts.items() if one is not None}
        stages["write"] = max(0.0, whole.median - sum(stages.values()))
        rows.append({"megapixels": megapixels, "seconds": as_json(whole), "stages": stages})
    ways = ("folder", "alike", "network", "plain")
    folder, alike, network, plain = (session.estimate("colorize", way) for way in ways)
    if not rows and folder is None:
        return None
    return {
        "photos": rows,
        "folder_pictures_per_second": as_json(rate(folder, 1)),
        "alike_pictures_per_second": as_json(rate(alike, 1)),
        "network_pictures_per_second": as_json(rate(network, 1)),
        "plain_pictures_per_second": as_json(rate(plain, 1)),
        "folder_share": as_json(ratio(alike, folder)),
        "network_gain": as_json(ratio(plain, network)),
    }


def measure_memory(session: Session) -> None:
    """What a process needs before it does anything, what a training gains in size, and the paper's step in a small card's memory."""
    session.say("an idle process")
    with session.child("nothing") as child:
        child.start()
        session.weigh("torch and pretint, idle", child)
    if steps := session.plan.growth_steps:
        tiny = values_of("small", size=32, unet={"width": 0.125}, cgan={"critic_width": 0.125})
        session.say(f"{steps} steps of a small network")
        with session.child("product", values=tiny, batch=4, precision="float32") as child:
            before = child.ask(steps=max(1, steps // 2))["now"]
            session.facts["growth",] = (child.ask(steps=steps)["now"] - before) * 1000 / steps
    if session.plan.card:
        session.try_to(CARD, lambda: _card(session))


def _card(session: Session) -> None:
    session.say(CARD)
    case = {"values": values_of("paper"), "batch": 32, "accumulate": 4, "precision": "float32", "warm": False}
    with session.child("product", **case) as child:
        child.start()
        session.weigh(CARD, child)


def memory_document(session: Session) -> list[dict[str, Any]]:
    """Rows with GB at the most (``gpu_GB``: of a GPU's), and the growth in MB."""
    rows: list[dict[str, Any]] = [
        {"what": what, "GB": here / 1e9, "gpu_GB": there / 1e9} for what, (here, there) in session.memory.items()
    ]
    if ("growth",) in session.facts:
        rows.append({"what": GROWTH, "MB": session.facts["growth",] / 1e6})
    return rows
