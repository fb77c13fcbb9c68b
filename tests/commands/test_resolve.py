"""How options layer; the command of a run gives back its options."""

import shlex
from pathlib import Path
from types import ModuleType

import pytest

from pretint import recipe
from pretint.commands import compare, finetune, pretrain
from pretint.commands.bench import BenchOptions
from pretint.commands.resolve import command_line, options_from_arguments, options_from_call, plain_options
from pretint.errors import OptionError
from pretint.run_folder import RunFolder


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (pretrain, "--data photos --out runs/a"),
        (pretrain, "--data photos 'more photos' --out runs/a --epochs 3 --pretext cgan --cgan.l1-weight 7.5 --keep-grey"),
        (pretrain, "--data photos --out runs/a --pretext regression --backbone residual --residual.width 16 --view.no-flip"),
        (pretrain, "--recipe paper --data photos --out runs/a --unet.dropout-at-inference --loop.precision bf16"),
        (finetune, "--task segmentation --data cells --out runs/b --init gone/run --fraction 0.1 --seed 4"),
        (finetune, "--task multilabel --data voc --out runs/b --recipe paper --classes cat,dog --layout voc"),
        (finetune, "--task classification --data animals --out runs/b --backbone residual --residual.blocks 1 1 1 1"),
    ],
)  # fmt: skip
def test_a_command_line_gives_the_options_again(module: ModuleType, arguments: str) -> None:
    options = options_from_arguments(module.SCHEMA, shlex.split(arguments))
    program, verb, *again = shlex.split(command_line(module.SCHEMA, recipe.as_values(options)))
    assert (program, verb) == ("pretint", module.SCHEMA.verb)
    assert recipe.as_values(options_from_arguments(module.SCHEMA, again)) == recipe.as_values(options)
    assert len(again) <= len(shlex.split(arguments)) + 2  # and not every default


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (pretrain, "--recipe small -h"),
        (pretrain, "--pretext cgan -h"),
        (finetune, "--task multilabel --init scratch -h"),
        (compare, "--task multilabel --arms scratch-rgb random-frozen -h"),
    ],
)  # fmt: skip
def test_help_is_no_value_of_what_stands_before_it(
    module: ModuleType, arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options_from_arguments(module.SCHEMA, shlex.split(arguments))
    assert ended.value.code == 0
    assert f"usage: pretint {module.SCHEMA.verb}" in capsys.readouterr().out


def test_what_init_brings_is_stronger_than_all_of_the_recipe(tmp_path: Path) -> None:
    """A section of the recipe for a method too, of the backbone that the weights name."""
    told = {"backbone": "residual", "decoder": "hypercolumn", "size": 64, "residual": {"width": 24, "blocks": [1, 1]}}
    RunFolder.create(tmp_path / "run", {"options": told})
    (tmp_path / "own.toml").write_text(
        "backbone = 'unet'\nsize = 256\nepochs = 4\n[residual]\nwidth = 96\n"
        "[for.segmentation]\nsize = 128\nepochs = 6\n[for.residual]\nsize = 96\nbatch_size = 8\n[for.residual.residual]\nwidth = 48\n"
    )
    given = {"task": "segmentation", "recipe": str(tmp_path / "own.toml"), "data": "cells", "out": "runs/cells"}
    options = options_from_call(finetune.SCHEMA, given | {"init": str(tmp_path / "run")})
    assert (options.backbone, options.size, options.residual.width) == ("residual", 64, 24)
    assert (options.epochs, options.batch_size) == (6, 8)  # of which the weights say nothing
    assert options_from_call(finetune.SCHEMA, given | {"init": str(tmp_path / "run"), "size": 32}).size == 32
    alone = options_from_call(finetune.SCHEMA, given | {"backbone": "residual"})
    assert (alone.size, alone.residual.width) == (96, 48)
    (tmp_path / "with.toml").write_text(f"init = '{tmp_path / 'run'}'\nepochs = 4\n")
    named = options_from_call(finetune.SCHEMA, given | {"recipe": str(tmp_path / "with.toml")})
    assert (named.backbone, named.size, named.residual.width, named.epochs) == ("residual", 64, 24, 4)


TASK = ["--task", "multilabel", "--data", "voc", "--out", "runs/b"]


@pytest.mark.parametrize(
    "given",
    [["--classes", "cat, dog"], ["--classes", "cat,", "dog"], ["--classes=cat,dog,"], ["--classes", "cat,,dog"]],
)
def test_names_of_classes_are_read_without_what_stands_around_them(given: list[str]) -> None:
    assert options_from_arguments(finetune.SCHEMA, [*TASK, *given]).classes == ("cat", "dog")


def test_names_of_classes_in_python_too() -> None:
    call = {"task": "multilabel", "data": "voc", "out": "runs/b"}
    for module in (finetune, compare):
        assert options_from_call(module.SCHEMA, call | {"classes": ["cat ", " dog", ""]}).classes == ("cat", "dog")
        with pytest.raises(OptionError, match="--classes: names sparrow twice"):
            options_from_call(module.SCHEMA, call | {"classes": ["sparrow", "cat", "sparrow "]})


def test_classes_named_twice_and_none_are_refused() -> None:
    with pytest.raises(OptionError, match="--classes: names sparrow twice"):
        options_from_arguments(finetune.SCHEMA, [*TASK, "--classes", "sparrow,sparrow"])
    with pytest.raises(OptionError, match="--classes: names no class"):
        options_from_arguments(finetune.SCHEMA, [*TASK, "--classes", ""])


@pytest.mark.parametrize(
    "given",
    [
        "--fractions 0.1,1.0 --rates 1e-3,1e-4 --modes finetune,linear",
        "--fractions=0.1,1 --rates=1e-3,.0001 --modes=finetune,linear",
        "--fractions 0.1 1.0 --rates 1e-3, 1e-4 --modes finetune linear",
    ],
)
def test_numbers_and_choices_take_commas(given: str) -> None:
    options = options_from_arguments(compare.SCHEMA, [*TASK, *given.split(), "--arms", "a=runs/a,runs/b"])
    assert (options.fractions, options.rates, options.modes) == ((0.1, 1.0), (1e-3, 1e-4), ("finetune", "linear"))
    assert options.arms == ("a=runs/a,runs/b",)  # whose commas are its own


def test_commas_of_sections_and_of_verbs_without_recipes() -> None:
    words = [*TASK, "--backbone", "residual", "--residual.blocks", "1,2,1", "--view.crop", "window"]
    assert options_from_arguments(finetune.SCHEMA, words).residual.blocks == (1, 2, 1)
    assert plain_options(BenchOptions, "bench", ["--only", "peaks,step"]).only == ("peaks", "step")


def test_paths_keep_their_commas() -> None:
    options = options_from_arguments(pretrain.SCHEMA, ["--data", "1,2", "photos,more", "--out", "runs/a,b"])
    assert (options.data, options.out) == ((Path("1,2"), Path("photos,more")), Path("runs/a,b"))
