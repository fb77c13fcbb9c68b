"""Finds a method by its file's name: a pretext in ``pretexts/``, a backbone in ``networks/``, a task in ``tasks/``.

A method is one file that holds ``class Options`` and the method itself. ``options_of`` executes only that class, not the
file around it, so that ``--help`` and option errors come without loading torch; ``load`` imports the whole file.
"""

import ast
import dataclasses
import difflib
import importlib
import sys
import typing
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pretint.errors import OptionError

KINDS = {"pretexts": "pretext", "networks": "backbone", "tasks": "task"}


@cache
def names(family: str) -> tuple[str, ...]:
    """Names of the methods of a family, sorted: the files of its folder that define ``class Options``."""
    folder = Path(__file__).parent / family
    return tuple(sorted(path.stem for path in folder.glob("*.py") if _options_class(path) is not None))


@cache
def options_of(family: str, name: str) -> type[Any]:
    """The options dataclass of a method, made without importing the method.

    Raises:
        OptionError: no file of the family has this name.
    """
    path = Path(__file__).parent / family / f"{name}.py"
    node = _options_class(path) if name in names(family) else None
    if node is None:
        raise OptionError(f"--{KINDS[family]} {name}: unknown; {suggest(name, names(family))}")
    module = ModuleType(f"pretint.{family}.{name}:options")
    # The docstrings under the fields are the help texts; tyro finds them through the module's file.
    module.__file__ = str(path)
    module.__dict__.update(dataclass=dataclasses.dataclass, field=dataclasses.field, Literal=typing.Literal)
    sys.modules[module.__name__] = module
    exec(compile(ast.Module(body=[node], type_ignores=[]), str(path), "exec"), module.__dict__)
    options: type[Any] = module.__dict__["Options"]
    return options


def load(family: str, name: str) -> ModuleType:
    """Import the file of a method.

    Raises:
        OptionError: no file of the family has this name.
    """
    options_of(family, name)
    return importlib.import_module(f"pretint.{family}.{name}")


def decoder_of(backbone: str, decoder: str) -> str:
    """The decoder that a choice means: ``auto`` is the U-Net's on a U-Net, else a hypercolumn."""
    if decoder != "auto":
        return decoder
    return "unet" if backbone == "unet" else "hypercolumn"


def suggest(word: str, known: Iterable[str]) -> str:
    """A few words of advice for an unknown name: the nearest known one, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _options_class(path: Path) -> ast.ClassDef | None:
    if not path.is_file():
        return None
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == "Options":
            return node
    return None
