"""From what a user said to a complete set of options: dataclass default < recipe < command line or Python call."""

import inspect
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

from pretint import recipe
from pretint.errors import OptionError
from pretint.experiments.architecture import architecture_of
from pretint.experiments.options import TrainingOptions, with_sections
from pretint.methods import names, suggest

T = TypeVar("T")

_NEGATIVE = re.compile(r"-\d*\.?\d+")  # as argparse tells a number from an option
_BEGINS_NEGATIVE = re.compile(r"-\.?\d")


@dataclass(frozen=True)
class Schema:
    """The options of a training verb, known once its methods are chosen.

    Attributes:
        verb: as it is called.
        options: those that it has whatever is chosen.
        choices: the option that chooses a method, and the family it is found in: ``{"pretext": "pretexts"}``.
        recipes: folder of its recipes, where it is not the verb's.
        weights: the option that names weights; of several, the first that tells its architecture says what is built.
        architecture: tells it from a value of that option.
    """

    verb: str
    options: type[TrainingOptions]
    choices: Mapping[str, str]
    recipes: str = ""
    weights: str = "init"
    architecture: Callable[[str], Mapping[str, Any]] = architecture_of


def options_from_call(schema: Schema, given: Mapping[str, Any]) -> Any:
    """Options of a Python call; nested mappings stand for sections.

    Raises:
        OptionError: an unknown name or value.
    """
    if isinstance(given.get("recipe"), Path):
        given = {**given, "recipe": str(given["recipe"])}
    kind, values = _layers(schema, given)
    return recipe.fill(kind, recipe.merge(values, given), schema.verb)


def options_from_arguments(schema: Schema, arguments: Sequence[str]) -> Any:
    """Options of a command line, read by tyro; ends the process with help or a message where tyro does."""
    import tyro

    early = {name: _early(arguments, name) for name in (*schema.choices, "recipe", schema.weights)}
    given: dict[str, Any] = {name: values[-1] for name, values in early.items() if values}
    if early[schema.weights]:
        given[schema.weights] = early[schema.weights]
    sections = [
        argument[2:].partition(".")[0] for argument in arguments if argument.startswith("--") and "." in argument
    ]
    kind, values = _layers(schema, {**{name.replace("-", "_"): {} for name in sections}, **given})
    default = recipe.fill(kind, values, f"recipe {values.get('recipe', '')}", missing=tyro.MISSING)
    return tyro.cli(
        kind,
        default=default,
        args=_split_commas(kind, arguments),
        prog=f"pretint {schema.verb}",
        description=inspect.cleandoc(schema.options.__doc__ or ""),
    )


def _layers(schema: Schema, given: Mapping[str, Any]) -> tuple[type[Any], dict[str, Any]]:
    """The options dataclass for what is chosen, and the recipe's values for it."""
    defaults = {field.name: field.default for field in fields(schema.options)}
    name = given.get("recipe", defaults["recipe"])
    values = recipe.read(schema.recipes or schema.verb, name)
    conditional = values.pop("for", {})
    if not isinstance(conditional, Mapping) or not all(isinstance(one, Mapping) for one in conditional.values()):
        raise OptionError(f"recipe {name}: `for` holds sections by method, such as [for.cgan]")
    if "recipe" in values:
        raise OptionError(
            f"recipe {name}: a recipe builds on no other, so that all it does stands in it; copy the values of {values['recipe']} in place "
            "of its line"
        )
    methods = [method for family in schema.choices.values() for method in names(family)]
    for method in conditional:
        if method not in methods:
            raise OptionError(f"recipe {name}: [for.{method}] is of no method; {suggest(method, methods)}")
    weights = given.get(schema.weights, values.get(schema.weights, ()) if schema.weights in defaults else ())
    tellers = (schema.architecture(str(one)) for one in ([weights] if isinstance(weights, str) else weights))
    told = next(filter(None, tellers), {})
    known = recipe.merge(values, told)  # which may name the backbone
    chosen = {option: given.get(option, known.get(option, defaults[option])) for option in schema.choices}
    for method in chosen.values():
        if isinstance(method, str):
            values = recipe.merge(values, conditional.get(method, {}))
    values = recipe.merge(values, told)
    sections = {family: chosen[option] for option, family in schema.choices.items() if isinstance(chosen[option], str)}
    # A recipe may hold sections of methods that are not chosen now.
    families = {method: option for option, family in schema.choices.items() for method in names(family)}
    others = families.keys() - set(sections.values())
    for method in sorted(others & {key.replace("-", "_") for key in given}):
        option = families[method]
        if chosen[option] not in names(schema.choices[option]):
            continue  # which is the fault to tell
        raise OptionError(
            f"--{method.replace('_', '-')}: is a section of --{option} {method}, and --{option} is {chosen[option]} here; "
            f"give --{option} {method} too, or leave it out"
        )
    values = {key: value for key, value in values.items() if key not in others}
    return with_sections(schema.options, sections), {**values, "recipe": name}


def _early(arguments: Sequence[str], name: str) -> list[str]:
    """The values of an option that decides which other options there are."""
    values: list[str] = []
    reading = False
    for argument in arguments:
        if argument.startswith("--"):
            option, equals, value = argument.partition("=")
            reading = option == f"--{name}"
            if reading:
                values = [value] if equals else []
        elif argument.startswith("-") and not _NEGATIVE.fullmatch(argument):
            reading = False  # a short option, such as -h
        elif reading:
            values.append(argument)
    return values


def _split_commas(kind: type[Any], arguments: Sequence[str]) -> list[str]:
    """``--classes a,b`` as ``--classes a b``, and so for every option of several numbers or choices."""
    listed = set(_take_commas(kind))
    split: list[str] = []
    reading = False
    for argument in arguments:
        value = argument
        if argument.startswith("-") and not _BEGINS_NEGATIVE.match(argument):
            option, equals, value = argument.partition("=")
            reading = option.replace("_", "-") in listed
            split.append(option if reading else argument)
            if not (reading and equals):
                continue
        parts = [part.strip() for part in value.split(",")] if reading else [value]
        split += [part for part in parts if part] or [value]
    return split


def _take_commas(kind: type[Any], prefix: str = "--") -> Iterator[str]:
    """The options of several values that hold no comma themselves, as paths and arms may."""
    for entry in fields(kind):
        name = prefix + entry.name.replace("_", "-")
        if is_dataclass(entry.type):
            yield from _take_commas(cast(type[Any], entry.type), f"{name}.")
        elif get_origin(entry.type) is tuple:
            of = get_args(entry.type)[0]
            if of in (int, float) or get_origin(of) is Literal or entry.name == "classes":
                yield name


def plain_options(kind: type[T], verb: str, arguments: Sequence[str]) -> T:
    """Options of a verb that needs no recipe, read by tyro."""
    import tyro

    return tyro.cli(
        kind,
        args=_split_commas(kind, arguments),
        prog=f"pretint {verb}",
        description=inspect.cleandoc(kind.__doc__ or ""),
    )


def command_line(schema: Schema, options: Mapping[str, Any]) -> str:
    """The command that gives these options, as run.json holds them; what the recipe says already is left out.

    Raises:
        OptionError: the recipe is no longer there, or an option is not known any more.
    """
    defaults = {field.name: field.default for field in fields(schema.options)}
    always = {"data": options["data"], "out": options["out"]}
    given = {name: options[name] for name in ("recipe", "init") if name in options and options[name] != defaults[name]}
    given |= {name: options[name] for name in schema.choices if defaults[name] is MISSING}
    # A choice that the recipe makes need not be made again.
    standard = recipe.as_values(options_from_call(schema, {**given, **always}))
    given |= {name: options[name] for name in schema.choices if options[name] != standard[name]}
    given |= always
    standard = recipe.as_values(options_from_call(schema, given))
    more = {name: value for name, value in options.items() if name not in (*given, "resume")}
    words = ["pretint", schema.verb, *_words(given, {}), *_words(more, standard)]
    return " ".join(map(shlex.quote, words))


def _words(values: Mapping[str, Any], standard: Mapping[str, Any], section: str = "") -> Iterator[str]:
    """Arguments for the values that are not the standard ones, as tyro reads them."""
    for key, value in values.items():
        name = key.replace("_", "-")
        if isinstance(value, Mapping):
            yield from _words(value, standard.get(key, {}), f"{section}{name}.")
        elif key in standard and standard[key] == value:
            continue
        elif isinstance(value, bool):
            yield f"--{section}{name}" if value else f"--{section}no-{name}"
        else:
            yield f"--{section}{name}"
            yield from map(str, value if isinstance(value, list | tuple) else [value])
