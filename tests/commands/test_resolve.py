"""The command of a run gives back its options."""

import shlex
from types import ModuleType

import pytest

from pretint import recipe
from pretint.commands import compare, finetune, pretrain
from pretint.commands.resolve import command_line, options_from_arguments


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
