"""The training steps: each rung of each ladder in turn, beside the peaks of the machine; and curves of growing work."""

import time
from contextlib import ExitStack
from typing import Any

from pretint.speed import linearity
from pretint.speed.children import Child
from pretint.speed.peaks import COPY
from pretint.speed.plain_steps import LADDERS, THRESHOLDS
from pretint.speed.plan import PICTURES, Point, StepCase, curves
from pretint.speed.samples import Estimate, as_json, rate, ratio
from pretint.speed.session import Session, available_gigabytes
from pretint.speed.work import Work, values_of, work_of

BESIDE = ("float32", "bf16", COPY)
"""The peaks that a step is held against."""
Rungs = list[tuple[str, Child, dict[str, Any]]]


def measure_peaks(session: Session) -> None:
    """Matmuls in each arithmetic that the device has, and the copy, in turn."""
    with _peaks_child(session) as child:
        session.facts["peaks",] = tuple(child.start()["kinds"])
        _time_peaks(session, child, session.facts["peaks",], session.plan.rounds)


def _peaks_child(session: Session) -> Child:
    plan = session.plan
    return session.child("peaks", longest=plan.longest, largest=plan.largest, copied=plan.copied)


def _time_peaks(session: Session, child: Child, kinds: tuple[str, ...], rounds: int) -> None:
    for _ in range(rounds):
        for kind in kinds:
            if session.facts.get(("peak", kind), ()) is None:
                continue
            session.say("copying memory" if kind == COPY else f"matmul, {kind}")
            answer = child.ask(kind=kind, least=session.plan.least)
            if "missing" in answer:
                session.facts["peak", kind] = None
                continue
            session.facts["peak", kind] = (answer["amount"], answer["size"])
            session.keep(("peak", kind), answer)


def peak(session: Session, kind: str) -> Estimate | None:
    """Operations, or bytes, a second."""
    fact = session.facts.get(("peak", kind))
    return rate(session.estimate("peak", kind), fact[0]) if fact else None


def measure_steps(session: Session) -> None:
    """All ladders of the plan, with the peaks timed again before each."""
    with _peaks_child(session) as peaks:
        for case in session.plan.steps:
            _time_peaks(session, peaks, BESIDE, max(1, min(2, session.plan.rounds)))
            session.try_to(case.title, lambda case=case: _climb(session, case))  # type: ignore[misc]


def precisions(session: Session, case: StepCase) -> list[str]:
    """What pretint's own step is timed in: float32 and what auto takes; both where that is soon done."""
    also = "bf16" if case.name == "small" else session.precision
    return list(dict.fromkeys(("float32", session.precision, also)))


def _climb(session: Session, case: StepCase) -> None:
    values = values_of(case.recipe, **case.changes)
    session.facts["step", case.name] = work_of(values)
    common = {"values": values, "batch": case.batch}
    with ExitStack() as stack:

        def child(part: str, **more: Any) -> Child:
            return stack.enter_context(session.child(part, **common, **more))

        plain, raised = child("plain", thresholds=False), child("plain", thresholds=True)
        rungs: Rungs = [
            (rung.name, raised if rung.name == THRESHOLDS else plain, {"rung": rung.name})
            for rung in LADDERS[values["pretext"]]
            if (not case.rungs or rung.name in case.rungs) and (rung.name != THRESHOLDS or session.device == "cpu")
        ]
        for precision in precisions(session, case):
            rungs.append((f"pretint, {precision}", child("product", precision=precision), {}))
        if session.plan.compile:
            name = f"pretint, {session.precision}, compiled"
            rungs.append((name, child("product", precision=session.precision, compile=True), {}))
        free = available_gigabytes()
        _in_turn(session, case, rungs, side_by_side=free is None or free > case.gigabytes)
        if session.device == "cuda":
            ours = next(one for name, one, _ in rungs if name == f"pretint, {session.precision}")
            answer = ours.ask(steps=10, synchronizations=True)
            session.facts["waits", case.name] = answer["synchronizations"] / answer["steps"]


def _in_turn(session: Session, case: StepCase, rungs: Rungs, side_by_side: bool) -> None:
    if side_by_side:
        for child in dict.fromkeys(child for _, child, _ in rungs):
            child.launch()
        for _, child, _ in rungs:
            session.say(f"{case.title}: warming up")
            child.start()
    spent = last = 0.0
    for number in range(case.rounds[1]):
        if number >= case.rounds[0] and spent + last > case.seconds:
            return
        last = 0.0
        for name, child, request in rungs:
            session.say(f"{case.title}: {name}" + (f", round {number + 1}" if number else ""))
            child.start()
            begun = time.monotonic()
            session.keep(("step", case.name, name), child.ask(**request, least=session.plan.least))
            last += time.monotonic() - begun
            if name in ("plain", THRESHOLDS) or name.startswith(
                "pretint"
            ):  # the rungs between share the plain one's process
                session.weigh(f"{case.title}: {name}", child)
            if not side_by_side:
                child.rest()
        spent += last


def steps_document(session: Session) -> list[dict[str, Any]]:
    """The ladders: rates, gains, shares of the peak and of the roofline."""
    document = []
    for case in session.plan.steps:
        work: Work | None = session.facts.get(("step", case.name))
        if work is None:
            continue
        names = [key[2] for key in session.samples if key[:2] == ("step", case.name)]
        times = {name: session.estimate("step", case.name, name) for name in names}
        plain = times.get("plain")
        rungs = []
        for name, taken in times.items():
            precision = "bf16" if "bf16" in name else "float32"
            rungs.append(
                {
                    "name": name,
                    "seconds": as_json(taken),
                    "images_per_second": as_json(rate(taken, case.batch)),
                    "against_plain": as_json(ratio(plain, taken)),
                    "share_of_peak": as_json(ratio(rate(taken, work.flop * case.batch), peak(session, precision))),
                    "share_of_roofline": as_json(ratio(_roofline(session, case, work, precision), taken)),
                }
            )
        bounds = {precision: _roofline(session, case, work, precision) for precision in ("float32", "bf16")}
        document.append(
            {
                "name": case.name,
                "title": case.title,
                "batch": case.batch,
                "gflop_a_picture": work.flop / 1e9,
                "optimizer_megabytes": work.bytes / 1e6,
                "roofline_images_per_second": {
                    name: as_json(rate(bound, case.batch)) for name, bound in bounds.items()
                },
                "synchronizations": session.facts.get(("waits", case.name)),
                "rungs": rungs,
            }
        )
    return document


def _roofline(session: Session, case: StepCase, work: Work, precision: str) -> Estimate | None:
    """Seconds of the step at the peaks."""
    flops, copied = peak(session, precision), peak(session, COPY)
    if flops is None or copied is None:
        return None
    low, middle, high = (
        work.seconds(case.batch, getattr(flops, end), getattr(copied, end)) for end in ("high", "median", "low")
    )
    return Estimate(middle, low, high, min(flops.runs, copied.runs), flops.quiet and copied.quiet)


def measure_curves(session: Session) -> None:
    """Time against resolution, batch, width and pictures; the points of a curve in turn."""
    for name, points in curves(session.plan.points).items():
        session.try_to(name, lambda name=name, points=points: _curve(session, name, points))  # type: ignore[misc]
    plan = session.plan
    name, counts = "pictures (feed, 128 px)", PICTURES[: plan.points]
    session.facts.update({("curve", name, f"{count} pictures"): float(count) for count in counts})
    with session.child("feed", threads=1, photos=str(session.photos()), trained={}) as child:
        child.start()
        for _ in range(max(1, min(3, plan.rounds))):
            for count in counts:
                session.say(f"feed of {count} pictures")
                session.keep(("curve", name, f"{count} pictures"), child.ask(count=count))


def _curve(session: Session, name: str, points: list[Point]) -> None:
    with ExitStack() as stack:
        children = []
        for point in points:
            values = values_of(point.values["recipe"], **point.values["changes"])
            session.facts["curve", name, point.label] = work_of(values).flop * point.batch / 1e9
            case = {"values": values, "batch": point.batch, "precision": "float32"}
            children.append((point.label, stack.enter_context(session.child("product", **case))))
        for _, child in children:
            child.launch()
        for _, child in children:
            child.start()
        for _ in range(max(1, min(3, session.plan.rounds))):
            for label, child in children:
                session.say(f"{name}, {label}")
                session.keep(("curve", name, label), child.ask(least=session.plan.least))


def curves_document(session: Session) -> list[dict[str, Any]]:
    """The curves: times, work, ratio to linear, and a verdict."""
    names = dict.fromkeys(key[1] for key in session.samples if key[0] == "curve")
    document = []
    for name in names:
        labels = [key[2] for key in session.samples if key[:2] == ("curve", name)]
        times = [session.estimate("curve", name, label) for label in labels]
        work = [session.facts["curve", name, label] for label in labels]
        ratios = linearity.to_linear(times, work)
        points = [
            {"at": label, "seconds": as_json(time), "work": amount, "to_linear": one}
            for label, time, amount, one in zip(labels, times, work, ratios, strict=True)
        ]
        unit = "pictures" if "pictures" in name else "GFLOP"
        document.append({"name": name, "unit": unit, "points": points, "verdict": linearity.verdict(ratios, times)})
    return document
