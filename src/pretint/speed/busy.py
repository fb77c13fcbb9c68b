"""How busy others kept the processor while something was timed: /proc/stat, against the CPU time of our own.

    before = read()
    work()
    held_up = contention(before, read(), threads=2)

A virtual machine's processor is taken away in two ways: by other processes here, and by the host ("steal"). Both count
on the cores that this process may use. Where there is no /proc/stat nothing is known, and nothing is claimed.
"""

import multiprocessing
import os
import resource
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

QUIET = 0.05
"""Largest share of the processor time that was to be had which others may take from a timing that is to count."""

GRAIN = 0.02
"""Seconds by which the counters may be off: the system counts in hundredths, and who runs when one ends is charged for it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds since some beginning: of a clock, of everybody on our cores, stolen from these, and of our own."""

    clock: float
    everybody: float
    stolen: float
    own: float
    cores: int


def read() -> Reading | None:
    """Where the counters stand now; None where the system has none."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    ours = os.sched_getaffinity(0)
    everybody, stolen = parse(stat.read_text(), ours, os.sysconf("SC_CLK_TCK"))
    return Reading(time.monotonic(), everybody, stolen, own_seconds(), len(ours))


def parse(text: str, cores: Collection[int], ticks: int) -> tuple[float, float]:
    """CPU seconds of everybody, and those stolen, on some cores; ``text`` is that of /proc/stat.

    Waiting for the disk is idleness. What guests use is counted in user time already.
    """
    wanted = {f"cpu{core}" for core in cores}
    busy = stolen = 0
    for line in text.splitlines():
        name, *numbers = line.split()
        if name in wanted:
            user, nice, system, _, _, interrupts, soft, steal = map(int, numbers[:8])
            busy += user + nice + system + interrupts + soft
            stolen += steal
    return busy / ticks, stolen / ticks


def own_seconds() -> float:
    """CPU seconds of this process, of its children that have ended, and of those that read pictures for it now."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = sum(_seconds_of(child.pid) for child in multiprocessing.active_children())
    return time.process_time() + ended.ru_utime + ended.ru_stime + alive


def _seconds_of(pid: int | None) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has just ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Load:
    """Shares of the time of our cores, in [0, 1]: what others used, what the host took, what we used ourselves."""

    others: float
    stolen: float
    own: float


def load(before: Reading | None, after: Reading | None) -> Load | None:
    """Who had our cores between two readings; None where that is not known."""
    if before is None or after is None:
        return None
    had = (after.clock - before.clock) * after.cores
    if had <= 0:
        return None
    own = after.own - before.own
    others = max(0.0, after.everybody - before.everybody - own)
    return Load(others / had, (after.stolen - before.stolen) / had, own / had)


def contention(before: Reading | None, after: Reading | None, threads: int, cpu_clock: bool = False) -> float | None:
    """What others took of the processor time that we wanted, in [0, 1]; None where that is not known.

    With fewer threads than cores the spare cores are theirs first. On the CPU clock the time of other processes is not
    counted anyway; what is left is the host's, whose taking is not seen by every clock, as a share of our own.
    """
    found = load(before, after)
    if found is None or before is None or after is None:
        return None
    if cpu_clock:
        return min(1.0, found.stolen / found.own) if found.own > 0 else 0.0
    wanted = min(threads, after.cores) / after.cores
    grain = GRAIN / ((after.clock - before.clock) * after.cores)
    return min(1.0, max(0.0, found.others + found.stolen - grain - (1 - wanted)) / wanted)
