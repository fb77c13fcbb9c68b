"""Arms from their words: what they start from, what their network is, whom they are compared with."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pretint.errors import OptionError, RunError
from pretint.studies.arms import Arm, architecture_of_arm, independent, parse, resolve

BASE: dict[str, Any] = {
    "backbone": "unet", "decoder": "auto", "size": 32, "seed": 0, "seeds": 6,
    "unet": {"width": 0.5, "planes": "L"}, "residual": {"width": 48, "planes": "L"},
}  # fmt: skip


SEEDS = count()


def run(folder: Path, **options: Any) -> str:
    """The manifest of a run, which is all that an arm looks at; each has a seed of its own."""
    folder.mkdir(parents=True)
    values = {**BASE, "seed": next(SEEDS), "data": ["photos"], **options}
    (folder / "run.json").write_text(json.dumps({"kind": "pretrain", "options": values}))
    return str(folder)


@pytest.mark.parametrize(
    ("words", "name", "inits", "planes", "first_seed"),
    [
        ("scratch", "scratch", ("scratch",), None, None),
        ("scratch-rgb", "scratch-rgb", ("scratch",), "RGB", None),
        ("random-frozen", "random-frozen", ("random-frozen",), None, None),
        ("runs/small", "small", ("runs/small",), None, None),
        ("runs/small/", "small", ("runs/small/",), None, None),
        ("mine=runs/a,runs/b", "mine", ("runs/a", "runs/b"), None, None),
        ("net=w/resnet18.safetensors@planes=L", "net", ("w/resnet18.safetensors",), "L", None),
        ("w/resnet18.safetensors", "resnet18", ("w/resnet18.safetensors",), None, None),
        ("again=scratch@first-seed=100", "again", ("scratch",), None, 100),
        ("a=b/c=d", "a", ("b/c=d",), None, None),
        ("a=runs@v2/small@planes=RGB", "a", ("runs@v2/small",), "RGB", None),
    ],
)
def test_words(words: str, name: str, inits: tuple[str, ...], planes: str | None, first_seed: int | None) -> None:
    arm = parse(words)
    assert (arm.name, arm.inits, arm.planes, arm.first_seed) == (name, inits, planes, first_seed)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "a=",
        "runs/a@planes=XYZ",
        "runs/a@first-seed=-1",
        "x=scratch,runs/a",
        "x=runs/a,runs/b,runs/a/",
        "scratch-rgb@planes=L",
    ],
)
def test_words_that_mean_nothing(words: str) -> None:
    with pytest.raises(OptionError, match="--arms"):
        parse(words)


def test_scratch_is_always_there_and_first(tmp_path: Path) -> None:
    arms = resolve([f"mine={run(tmp_path / 'a')}"], BASE)
    assert [(arm.name, arm.reference) for arm in arms] == [("scratch", None), ("mine", "scratch")]
    assert arms[0].network == arms[1].network == {"backbone": "unet", "decoder": "unet", "unet": BASE["unet"]}


def test_scratch_has_the_seeds_of_the_study(tmp_path: Path) -> None:
    """Under another name it may have others."""
    mine = f"mine={run(tmp_path / 'a')}"
    with pytest.raises(OptionError, match="again=scratch@first-seed=7"):
        resolve(["scratch@first-seed=7", mine], BASE)
    arms = resolve(["again=scratch@first-seed=7", mine], BASE)
    assert {arm.name: arm.first_seed for arm in arms} == {"scratch": None, "again": 7, "mine": None}


def test_seeds_of_its_own_are_none_of_the_studys(tmp_path: Path) -> None:
    """Differences of seeds 1 and 0, 2 and 1, .. share seeds, so that they are not independent of each other."""
    mine = run(tmp_path / "a")
    for overlapping in (1, 5):
        with pytest.raises(OptionError, match="@first-seed=6 or a higher one"):
            resolve([f"again=scratch@first-seed={overlapping}", mine], BASE)
    for apart in (0, 6):
        assert resolve([f"again=scratch@first-seed={apart}", mine], BASE)[1].first_seed == apart


def test_two_names_of_a_decoder_are_one_network(tmp_path: Path) -> None:
    runs = {name: run(tmp_path / name, backbone="residual", decoder=name) for name in ("auto", "hypercolumn")}
    assert [arm.name for arm in resolve(list(runs.values()), BASE)] == [
        "scratch",
        "scratch-auto",
        "auto",
        "hypercolumn",
    ]
    resolve([f"both={','.join(runs.values())}"], BASE)


def test_colour_is_compared_with_colour(tmp_path: Path) -> None:
    """What RGB brings must not pass for what pretraining brings."""
    shapes = {"conv1.weight": (8, 3, 7, 7), "layer1.0.conv1.weight": (8, 8, 3, 3)}
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, tmp_path / "net.safetensors")
    arms = {arm.name: arm for arm in resolve([str(tmp_path / "net.safetensors"), "scratch-rgb"], BASE)}
    assert arms["scratch-rgb"].reference == "scratch"
    assert arms["net"].planes == "RGB"
    own = arms[arms["net"].reference or ""]
    assert own.inits == ("scratch",)
    assert own.network == arms["net"].network
    assert own.network is not None
    assert own.network["residual"] == {"width": 8, "blocks": [1], "stem": "torchvision", "planes": "RGB"}
    # The scratch arm on RGB is a U-Net, so it is not the one.
    assert own.name == "scratch-net"


def test_repetitions_take_the_pretrainings_in_turn(tmp_path: Path) -> None:
    arm = resolve([f"mine={run(tmp_path / 'a')},{run(tmp_path / 'b')}"], BASE)[1]
    assert [Path(arm.init(i)).name for i in range(5)] == ["a", "b", "a", "b", "a"]


def test_pretrainings_of_one_arm_are_of_one_network(tmp_path: Path) -> None:
    other = run(tmp_path / "b", unet={"width": 1.0, "planes": "L"})
    with pytest.raises(OptionError, match="mine: its runs have different networks"):
        resolve([f"mine={run(tmp_path / 'a')},{other}"], BASE)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["runs/none"], "runs/none: there is no such run or file"),
        (["scrath"], "did you mean scratch"),
        (["scratch-rgb", "scratch-rgb"], "two arms are called scratch-rgb"),
        (["scratch-rgb@against=scrach"], "did you mean scratch"),
        (["scratch-rgb@against=scratch-rgb"], "is no other arm"),
        (["scratch=random-frozen"], "scratch is the name of the arm without pretraining"),
    ],
)
def test_arms_that_cannot_be(words: list[str], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        resolve(words, BASE)


@pytest.mark.parametrize("name", ["folder", "photo.jpg", "cut.safetensors", "weights.pth"])
def test_weights_that_are_none(name: str, tmp_path: Path) -> None:
    """Told before the first of many cells is run."""
    path = tmp_path / name
    if name == "folder":
        run(path / "of-runs")
    else:
        path.write_bytes(b"no tensors")
    error, words = (
        (RunError, "is not the folder of a run") if name == "folder" else (OptionError, "is no .safetensors file")
    )
    with pytest.raises(error, match=f"{name}: {words}"):
        resolve([f"mine={path}"], BASE)


def test_one_pretraining_made_twice_is_not_two(tmp_path: Path) -> None:
    """Its spread would be none, and what is said of pretrainings would rest on fewer than it seems."""
    one, same, other = (run(tmp_path / name, seed=seed) for name, seed in (("a", 5), ("b", 5), ("c", 6)))
    with pytest.raises(OptionError, match=r"mine: .*a and .*b are one pretraining made twice.* another --seed"):
        resolve([f"mine={one},{other},{same}"], BASE | {"seeds": 3})
    assert resolve([f"mine={one},{other}"], BASE)[-1].inits == (one, other)


def test_a_unet_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--size 32: .* take --size 64"):
        resolve([run(tmp_path / "a", size=64)], BASE)


def test_the_first_arm_that_tells_says_what_is_built(tmp_path: Path) -> None:
    told = architecture_of_arm(f"mine={run(tmp_path / 'a', size=64)}@planes=L")
    assert told == {"backbone": "unet", "decoder": "unet", "size": 64, "unet": BASE["unet"]}
    assert architecture_of_arm("random-frozen") == {}


@pytest.mark.parametrize(
    ("one", "other", "groups"), [(1, 1, 1), (3, 1, 3), (1, 3, 3), (3, 3, 3), (6, 2, 2), (2, 4, 2), (3, 2, 1)]
)
def test_groups_that_share_no_pretraining(one: int, other: int, groups: int) -> None:
    """Seeds in the same group modulo `groups` share pretrainings of either arm; those in different groups share none."""
    arms = [Arm(name, tuple(map(str, range(count)))) for name, count in (("a", one), ("b", other))]
    assert independent(*arms) == groups
    seeds = range(12)
    for first in seeds:
        for second in seeds:
            shared = any(len(arm.inits) > 1 and arm.init(first) == arm.init(second) for arm in arms)
            if shared:
                assert first % groups == second % groups


def test_pretrainings_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    runs = [run(tmp_path / name) for name in "abcde"]
    arms = [f"three={','.join(runs[:3])}@against=two", f"two={','.join(runs[3:])}"]
    with pytest.raises(OptionError, match=r"--arms three: @against=two has 2 pretrainings and three 3"):
        resolve(arms, BASE)
    resolve([arms[0].partition("@")[0], arms[1]], BASE)
    with pytest.raises(OptionError, match=r"--arms all: has 5 pretrainings, of which --seeds 4 would leave some out"):
        resolve([f"all={','.join(runs)}"], BASE | {"seeds": 4})
