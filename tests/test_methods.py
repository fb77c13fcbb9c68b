"""Methods are found by their files, and their options are read without importing them."""

import dataclasses
import subprocess
import sys

import pytest

from pretint import methods
from pretint.errors import OptionError
from tests.conftest import environment

ALL = [(family, name) for family in methods.KINDS for name in methods.names(family)]


def test_names_are_those_with_options() -> None:
    assert methods.names("pretexts") == ("cgan", "color_bins", "regression")
    assert methods.names("networks") == ("residual", "timm", "unet")
    assert methods.names("tasks") == ("classification", "multilabel", "segmentation")


@pytest.mark.parametrize(("family", "name"), ALL)
def test_read_and_imported_options_are_alike(family: str, name: str) -> None:
    read, imported = methods.options_of(family, name), methods.load(family, name).Options
    assert [(f.name, f.default, f.type) for f in dataclasses.fields(read)] == [
        (f.name, f.default, f.type) for f in dataclasses.fields(imported)
    ]
    assert read.__doc__ == imported.__doc__
    assert dataclasses.asdict(read()) == dataclasses.asdict(imported())
    assert callable(methods.load(family, name).build)


def test_reading_options_imports_nothing() -> None:
    code = (
        f"import sys; from pretint.methods import options_of; [options_of(*pair)() for pair in {ALL!r}];"
        "print(*(m for m in sys.modules if m == 'torch' or m.startswith(('pretint.networks', 'pretint.tasks', 'pretint.pretexts'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert {name.partition(":")[2] for name in done.stdout.split()} == {"options"}


def test_unknown() -> None:
    with pytest.raises(OptionError, match=r"--pretext cgam: unknown; did you mean cgan\?"):
        methods.options_of("pretexts", "cgam")
    with pytest.raises(OptionError, match="--task x: unknown; known are classification, multilabel, segmentation"):
        methods.load("tasks", "x")
    with pytest.raises(OptionError):
        methods.options_of("networks", "normalization")  # a file of the folder, but no method
