"""The arms of a study: what a training starts from, and which arm it is compared with. Loads no torch.

Each arm is compared with ``scratch``: the same network on the same planes with random weights. Where an arm's network or
planes are others than those of ``scratch``, it gets a scratch arm of its own, since else the network's share in the
difference would pass for that of the weights.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from pretint.errors import OptionError
from pretint.experiments.architecture import FROM_NOTHING, architecture_of, check_size, check_weights, is_foreign
from pretint.experiments.options import differences
from pretint.methods import decoder_of, suggest
from pretint.run_folder import MANIFEST, RunFolder, data_folders
from pretint.shipped import NAME, where

SCRATCH = "scratch"
_PLANES = ("L", "ab", "Lab", "RGB")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        name: as the tables call it.
        inits: where its weights come from: runs or files, several where the pretraining was repeated; or one of ``scratch``
            and ``random-frozen``.
        planes: what its network sees; None until :func:`complete` has told.
        first_seed: its seeds are counted from here; None: from the study's.
        network: ``backbone`` and its section of options, ``decoder``; empty until :func:`complete` has told.
        reference: name of the scratch arm that it is compared with; None for a scratch arm on the study's planes.
        against: name of a further arm that it is compared with.
    """

    name: str
    inits: tuple[str, ...]
    planes: str | None = None
    first_seed: int | None = None
    network: Mapping[str, Any] | None = None
    reference: str | None = None
    against: str | None = None
    added: bool = False
    """Nobody asked for it: it is there as the reference of another."""

    def init(self, repetition: int) -> str:
        """Where the weights of a repetition come from: pretrainings take turns."""
        return self.inits[repetition % len(self.inits)]

    @property
    def from_nothing(self) -> bool:
        """Whether it starts from random weights."""
        return self.inits[0] in FROM_NOTHING


def parse(words: str) -> Arm:
    """An arm from ``[NAME=]WHERE[,WHERE..][@planes=RGB][@first-seed=100][@against=NAME]``.

    Raises:
        OptionError: it is not of this form.
    """
    body, *settings = re.split(r"@(?=planes=|first-seed=|against=)", words)
    name, equals, where = body.partition("=")
    if not equals or not _NAME.fullmatch(name):
        name, where = "", body
    inits = tuple(filter(None, where.split(",")))
    if not inits:
        raise OptionError(f"--arms {words}: says no weights; write NAME=RUN, NAME=FILE.safetensors, or scratch")
    planes, first_seed, against = None, None, None
    for setting in settings:
        key, _, value = setting.partition("=")
        if key == "planes" and value in _PLANES:
            planes = value
        elif key == "first-seed" and value.isdecimal():
            first_seed = int(value)
        elif key == "against" and value:
            against = value
        else:
            raise OptionError(
                f"--arms {words}: @{setting} is none of @planes=L, ab, Lab, RGB, @first-seed=NUMBER and @against=ARM"
            )
    if inits == ("scratch-rgb",):
        if planes not in (None, "RGB"):
            raise OptionError(
                f"--arms {words}: {inits[0]} sees RGB; for other planes write NAME=scratch@planes={planes}"
            )
        name, inits, planes = name or "scratch-rgb", (SCRATCH,), "RGB"
    if len(inits) > 1 and any(init in FROM_NOTHING for init in inits):
        raise OptionError(f"--arms {words}: {SCRATCH} cannot stand beside runs in one arm; make two arms of it")
    if len({Path(init).resolve() for init in inits}) < len(inits):
        raise OptionError(f"--arms {words}: names a run twice, which would count as two pretrainings; name each once")
    return Arm(name or _name_of(inits[0]), inits, planes, first_seed, against=against)


def architecture_of_arm(words: str) -> dict[str, Any]:
    """The options of the network that an arm's weights are of; see ``architecture_of``."""
    arm = parse(words)
    return architecture_of(arm.inits[0])


def resolve(words: Iterable[str], base: Mapping[str, Any]) -> tuple[Arm, ...]:
    """All arms of a study, ``scratch`` first, each with its network and its reference.

    Args:
        words: as on the command line.
        base: the study's option values; its backbone is that of ``scratch``.

    Raises:
        OptionError: two arms of one name, ``scratch`` with seeds of its own, seeds that overlap those of the others, missing
            weights, or pretrainings of one arm that differ in network.
    """
    given = [parse(one) for one in words]
    if not any(arm.name == SCRATCH for arm in given):
        given.insert(0, Arm(SCRATCH, (SCRATCH,)))
    given.sort(key=lambda arm: arm.name != SCRATCH)
    for i, arm in enumerate(given):
        if arm.name in {other.name for other in given[:i]}:
            raise OptionError(f"--arms: two arms are called {arm.name}; name them, for example again={arm.inits[0]}")
    if given[0].inits != (SCRATCH,):
        raise OptionError(
            f"--arms: {SCRATCH} is the name of the arm without pretraining; call {given[0].inits[0]} otherwise"
        )
    if given[0].first_seed is not None:
        raise OptionError(
            f"--arms {SCRATCH}@first-seed={given[0].first_seed}: the others are paired with {SCRATCH} by seed, so it has the "
            f"study's; name it otherwise, such as again={SCRATCH}@first-seed={given[0].first_seed}, or give --seed"
        )
    arms = _with_references([_with_network(arm, base) for arm in given])
    known = [arm.name for arm in arms]
    for arm in arms:
        if arm.against and (arm.against == arm.name or arm.against not in known):
            raise OptionError(
                f"--arms {arm.name}: @against={arm.against} is no other arm; {suggest(arm.against, known)}"
            )
        _check_seeds(arm, base["seed"], base["seeds"])
        _check_pretrainings(arm, next((other for other in arms if other.name == arm.against), None), base["seeds"])
    return tuple(arms)


def independent(one: Arm, other: Arm) -> int:
    """After how many seeds the pretrainings of two arms come round together: seeds so far apart are not independent. 1 where neither has
    several, since one pretraining of an arm is a fixed thing."""
    few, many = sorted(len(arm.inits) for arm in (one, other))
    return many if few == 1 else math.gcd(few, many)


def _check_seeds(arm: Arm, seed: int, seeds: int) -> None:
    """Seeds of an arm's own are to be the study's or none of them: a difference of seeds s + 1 and s, and the next one, share a seed."""
    if arm.first_seed is not None and 0 < abs(arm.first_seed - seed) < seeds:
        raise OptionError(
            f"--arms {arm.name}@first-seed={arm.first_seed}: some of its {seeds} seeds are those of other arms, which are paired otherwise; "
            f"take @first-seed={seed + seeds} or a higher one"
        )


def _check_pretrainings(arm: Arm, against: Arm | None, seeds: int) -> None:
    if len(arm.inits) > seeds:
        raise OptionError(
            f"--arms {arm.name}: has {len(arm.inits)} pretrainings, of which --seeds {seeds} would leave some out; "
            f"take --seeds {len(arm.inits)} or a multiple of it"
        )
    if against and min(len(arm.inits), len(against.inits)) > 1 and independent(arm, against) == 1:
        raise OptionError(
            f"--arms {arm.name}: @against={against.name} has {len(against.inits)} pretrainings and {arm.name} {len(arm.inits)}, and "
            "trainings that share one are not independent; give both as many"
        )


def _with_network(arm: Arm, base: Mapping[str, Any]) -> Arm:
    """The arm with its network: that of its weights, else the study's."""
    for init in arm.inits:
        if init not in FROM_NOTHING and not where(init).exists():
            near = suggest(init, ("scratch", "scratch-rgb", "random-frozen", NAME))
            raise OptionError(f"--arms {init}: there is no such run or file ({near})")
        if init not in FROM_NOTHING:
            check_weights(init, "--arms")
    told = [architecture_of(init) for init in arm.inits]
    if any(other != told[0] for other in told):
        raise OptionError(f"--arms {arm.name}: its runs have different networks; make an arm of each")
    for init, other in combinations(arm.inits, 2):
        if more_than_seeds(init, other) == []:
            raise OptionError(
                f"--arms {arm.name}: {init} and {other} are one pretraining made twice, with the same options and seed, and would count "
                "as two; name one of them, or pretrain again with another --seed"
            )
    backbone = told[0].get("backbone", base["backbone"])
    check_size(arm.inits[0], told[0], backbone, base["size"])
    section = {**base.get(backbone, {}), **told[0].get(backbone, {})}
    # Weights that pretint did not write were trained in colour; those of a run saw what the run says.
    planes = arm.planes or ("RGB" if is_foreign(arm.inits[0]) else section.get("planes", "L"))
    network = {
        "backbone": backbone,
        "decoder": decoder_of(backbone, told[0].get("decoder", base["decoder"])),
        backbone: {**section, "planes": planes},
    }
    return replace(arm, planes=planes, network=network)


def more_than_seeds(one: str, other: str) -> list[str] | None:
    """The options in which two runs of one verb on the same folders differ; None where either is no run, or another."""
    if any(not (where(init) / MANIFEST).is_file() for init in (one, other)):
        return None
    first, second = (RunFolder.open(where(init)).manifest for init in (one, other))
    if first["kind"] != second["kind"] or data_folders(first) != data_folders(second):
        return None
    return differences(first["options"], second["options"])


def _with_references(arms: list[Arm]) -> list[Arm]:
    """Every arm with the scratch arm of its own network; those that are missing are added."""
    scratch = arms[0]
    found: list[Arm] = []
    scratches: list[Arm] = []
    for arm in arms:
        if arm.inits == (SCRATCH,) and arm.first_seed is None:
            known = next((other for other in scratches if other.network == arm.network), None)
            scratches.append(arm)
            found.append(replace(arm, reference=None if arm is scratch else (known or scratch).name))
    for arm in arms:
        if arm.inits == (SCRATCH,) and arm.first_seed is None:
            continue
        reference = next((other for other in scratches if other.network == arm.network), None)
        if reference is None:
            name = f"{SCRATCH}-{arm.name}"
            if any(other.name == name for other in arms):
                raise OptionError(
                    f"--arms {name}: this name is needed for the scratch arm of {arm.name}; call it otherwise"
                )
            reference = Arm(name, (SCRATCH,), arm.planes, None, arm.network, scratch.name, added=True)
            scratches.append(reference)
            found.append(reference)
        found.append(replace(arm, reference=reference.name))
    return found


def _name_of(init: str) -> str:
    path = Path(init)
    return path.stem if path.suffix == ".safetensors" else path.name or init
