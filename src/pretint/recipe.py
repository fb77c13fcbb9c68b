"""Recipes and options: the values of one training, in TOML and on the command line.

An option is a field of a frozen dataclass. Its value is the dataclass's default, or else the recipe's, or else what the
command line or the Python call says. A recipe is a TOML file with the same names; ``[section]`` stands for a nested
dataclass.
"""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from pretint.errors import OptionError
from pretint.methods import suggest

T = TypeVar("T")


def shipped(verb: str) -> tuple[str, ...]:
    """Names of the recipes that come with the package for a verb."""
    folder = resources.files("pretint") / "recipes" / verb
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def read(verb: str, name: str) -> dict[str, Any]:
    """The values of a shipped recipe, or of a file whose name ends in .toml.

    Raises:
        OptionError: there is no such recipe or it is not TOML.
    """
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise OptionError(f"--recipe {name}: there is no such file")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise OptionError(f"--recipe {name}: is not UTF-8, as TOML is; save it so") from None
    elif name in shipped(verb):
        text = (resources.files("pretint") / "recipes" / verb / f"{name}.toml").read_text(encoding="utf-8")
    else:
        raise OptionError(f"--recipe {name}: unknown; {suggest(name, shipped(verb))} (a file's name ends in .toml)")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"--recipe {name}: is not TOML: {error}") from None


def fill(options: type[T], values: Mapping[str, Any], source: str, missing: Any = dataclasses.MISSING) -> T:
    """Make an options dataclass from nested values; names may be written with ``-`` or ``_``.

    Args:
        options: the dataclass.
        values: by name; nested dataclasses take mappings.
        source: where the values stand, for messages: ``recipe small``.
        missing: what to give required fields that have no value; without it they are an error.

    Raises:
        OptionError: an unknown name, or a value of the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(options)}  # type: ignore[arg-type]
    types_ = typing.get_type_hints(options)
    given: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in fields:
            raise OptionError(f"{source}: unknown option {key}; {suggest(name, fields)}")
        given[name] = _convert(types_[name], value, f"{source}: {key}", missing)
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if name not in given and required:
            if missing is dataclasses.MISSING:
                raise OptionError(f"{source}: the option {name} is missing")
            given[name] = missing
    return options(**given)


def check_choices(options: Any) -> None:
    """See that each option of an options dataclass that is a choice of words holds one of them: a Python call may hold any.

    Raises:
        OptionError: it is another.
    """
    for name, kind in typing.get_type_hints(type(options)).items():
        value = getattr(options, name)
        kinds = [one for one in (kind, *typing.get_args(kind)) if typing.get_origin(one) is Literal]
        words = [word for one in kinds for word in typing.get_args(one)]
        for one in value if isinstance(value, tuple) else (value,):
            if words and one is not None and one not in words:
                raise OptionError(f"--{name.replace('_', '-')} {one}: unknown; {suggest(str(one), words)}")


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values in which those of ``above`` win."""
    merged = dict(below)
    for key, value in above.items():
        name = key.replace("-", "_")
        under = merged.get(name)
        merged[name] = merge(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def as_values(options: Any) -> dict[str, Any]:
    """An options dataclass as nested plain values that JSON and TOML can hold."""
    return {field.name: _plain(getattr(options, field.name)) for field in dataclasses.fields(options)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return as_values(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _convert(kind: Any, value: Any, where: str, missing: Any) -> Any:
    """A plain value as the type that an option asks for."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        if isinstance(value, Mapping):
            return fill(typing.cast(type[Any], kind), value, where, missing)
        if dataclasses.is_dataclass(value):
            return value
    elif origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        for one in arguments:
            try:
                return _convert(one, value, where, missing)
            except OptionError:
                continue
    elif origin is Literal:
        if value in arguments:
            return value
        raise OptionError(f"{where} = {value!r}: {suggest(str(value), map(str, arguments))}")
    elif origin is tuple:
        if isinstance(value, list | tuple):
            return tuple(_convert(arguments[0], item, where, missing) for item in value)
        return (_convert(arguments[0], value, where, missing),)
    elif kind is Path:
        if isinstance(value, str | Path):
            return Path(value)
    elif kind is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise OptionError(f"{where} = {value!r}: should be of type {getattr(kind, '__name__', kind)}")
