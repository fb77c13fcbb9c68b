"""Recipes: every shipped one parses, faults are told in a sentence, and call, command line and file give equal options."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

import pretint
from pretint import recipe
from pretint.commands import finetune, pretrain
from pretint.commands.resolve import options_from_arguments, options_from_call
from pretint.errors import OptionError

VERBS = {"pretrain": pretrain.SCHEMA, "finetune": finetune.SCHEMA}
REQUIRED: dict[str, dict[str, Any]] = {
    "pretrain": {"data": ["a", "b"], "out": "o"},
    "finetune": {"task": "segmentation", "data": "a", "out": "o"},
}
SHIPPED = [(verb, name) for verb in VERBS for name in recipe.shipped(verb)]


def _arguments(values: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for name, value in values.items():
        found += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return found


def _dotted(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _dotted(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


@pytest.mark.parametrize(("verb", "name"), SHIPPED)
def test_shipped_recipes_parse_and_hold(verb: str, name: str) -> None:
    options = recipe.as_values(options_from_call(VERBS[verb], {**REQUIRED[verb], "recipe": name}))
    text = tomllib.loads((Path(recipe.__file__).parent / "recipes" / verb / f"{name}.toml").read_text())
    conditional = text.pop("for", {})
    expected = _dotted(recipe.merge(text, conditional.get(REQUIRED[verb].get("task"), {})))
    got = _dotted(options)
    for key, value in expected.items():
        if key in got:  # sections of methods that are not chosen are left out
            assert got[key] == value, key
        else:
            assert key.partition(".")[0] not in options
    assert got["recipe"] == name


@pytest.mark.parametrize(("verb", "name"), SHIPPED)
def test_call_and_command_line_agree(verb: str, name: str) -> None:
    values = {**REQUIRED[verb], "recipe": name}
    called = options_from_call(VERBS[verb], values)
    typed = options_from_arguments(VERBS[verb], _arguments(values))
    assert recipe.as_values(called) == recipe.as_values(typed)


def test_all_ways_to_say_it_agree(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'pretext = "regression"\nepochs = 7\n[regression]\nloss = "l2"\n[unet]\nwidth = 0.5\n[loop]\nema = 0.9\n'
    )
    called = options_from_call(
        pretrain.SCHEMA,
        {"data": ["p"], "out": "o", "recipe": str(tmp_path / "mine.toml"), "loop": {"ema": 0.5}, "batch_size": 8,
         "view": {"flip": False}},
    )  # fmt: skip
    typed = options_from_arguments(
        pretrain.SCHEMA,
        ["--data", "p", "--out=o", f"--recipe={tmp_path / 'mine.toml'}", "--loop.ema", "0.5", "--batch-size", "8",
         "--view.no-flip"],
    )  # fmt: skip
    values = recipe.as_values(called)
    assert values == recipe.as_values(typed)
    assert (values["epochs"], values["batch_size"], values["loop"]["ema"]) == (7, 8, 0.5)
    assert (values["regression"]["loss"], values["unet"]["width"], values["view"]["flip"]) == ("l2", 0.5, False)
    assert "cgan" not in values
    assert recipe.fill(type(called), values, "run.json") == called  # what run.json holds is enough


def test_a_recipe_may_be_a_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 7\n")
    given = {"data": ["p"], "out": "o"}
    one, other = (options_from_call(pretrain.SCHEMA, {**given, "recipe": name}) for name in (path, str(path)))
    assert recipe.as_values(one) == recipe.as_values(other)
    assert (one.epochs, one.recipe) == (7, str(path))


def test_the_papers_transfer() -> None:
    """4 epochs, 3 of them frozen; for segmentation 6 epochs, 1 frozen, batch 16; an explicit option wins."""
    for task, expected in {"multilabel": (4, 3, 32), "segmentation": (6, 1, 16)}.items():
        values = {"task": task, "data": "a", "out": "o", "recipe": "paper"}
        options = options_from_call(finetune.SCHEMA, values)
        assert (options.epochs, options.frozen_epochs, options.batch_size) == expected
        assert (options.rate, options.unfrozen_rate, options.eps) == (3e-4, 5e-5, 1e-7)
        assert options_from_call(finetune.SCHEMA, {**values, "epochs": 9}).epochs == 9


@pytest.mark.parametrize(
    ("verb", "given", "message"),
    [
        ("pretrain", {"epoch": 3}, r"unknown option epoch; did you mean epochs\?"),
        ("pretrain", {"pretext": "cgan", "cgan": {"l1_wait": 3}}, r"cgan: unknown option l1_wait; did you mean l1_weight\?"),
        ("pretrain", {"regression": {}}, "--regression: is a section of --pretext regression, and --pretext is color_bins here"),
        ("pretrain", {"epochs": "many"}, r"epochs = 'many': should be of type int"),
        ("pretrain", {"epochs": True}, "should be of type int"),
        ("pretrain", {"decoder": "unett"}, r"decoder = 'unett': did you mean unet\?"),
        ("pretrain", {"pretext": "cgam"}, r"cgam: unknown; did you mean cgan\?"),
        ("pretrain", {"backbone": "resnet"}, r"--backbone resnet: unknown"),
        ("pretrain", {"recipe": "smal"}, r"--recipe smal: unknown; did you mean small\?"),
        ("pretrain", {"recipe": "nowhere.toml"}, r"--recipe nowhere.toml: there is no such file"),
        ("pretrain", {"size": 8}, "--size 8: must be at least 16"),
        ("pretrain", {"epochs": 0}, "--epochs"),
        ("pretrain", {"batch_size": 10, "loop": {"accumulate": 4}}, "--batch-size 10: must be a multiple"),
        ("pretrain", {"loop": {"ema": 1.0}}, "--loop.ema 1.0"),
        ("pretrain", {"validation": 1.5}, "--validation 1.5"),
        ("pretrain", {"pretext": "cgan", "cgan": {"rate": 0}}, "--cgan.rate"),
        ("pretrain", {"pretext": "cgan", "cgan": {"beta1": 1.0}}, "--cgan.beta1 1.0: .* below 1"),
        ("pretrain", {"pretext": "regression", "regression": {"beta1": -0.1}}, "--regression.beta1 -0.1: .* at least 0"),
        ("pretrain", {"pretext": "regression", "regression": {"beta1": 1.0}}, "--regression.beta1 1.0: .* below 1"),
        ("pretrain", {"pretext": "regression", "regression": {"weight_decay": -1.0}}, "--regression.weight-decay -1.0"),
        ("pretrain", {"most_broken": 2}, "--most-broken 2"),
        ("pretrain", {"data": []}, "--data: name at least one folder"),
        ("finetune", {"unfrozen_rate": -1e-4}, "--unfrozen-rate -0.0001: must be above 0"),
        ("finetune", {"weight_decay": -0.1}, "--weight-decay: must not be negative"),
        ("finetune", {"eps": 0.0}, "--eps must be above 0"),
        ("finetune", {"fraction": 0}, "--fraction 0"),
        ("finetune", {"epochs": 5, "frozen_epochs": 5}, "--frozen-epochs 5: .* below --epochs 5"),
        ("finetune", {"task": "detection"}, "detection: unknown; "),
    ],
)  # fmt: skip
def test_faults_are_one_sentence(verb: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message) as fault:
        options_from_call(VERBS[verb], {**REQUIRED[verb], **given})
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("text", ["epochs = ", "epoch = 3", "[cgan]\nleek = true", "[for.cgan]\nepoch = 2"])
def test_faults_of_files_are_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    for read in (
        lambda: options_from_call(pretrain.SCHEMA, {**REQUIRED["pretrain"], "recipe": str(path)}),
        lambda: options_from_arguments(pretrain.SCHEMA, ["--data", "a", "--out", "o", "--recipe", str(path)]),
    ):
        with pytest.raises(OptionError) as fault:
            read()
        assert "\n" not in str(fault.value)


@dataclass(frozen=True, kw_only=True)
class Inner:
    width: float = 1.0
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=Inner)
    numbers: tuple[int, ...] = (1,)
    place: Path | None = None


def test_fill_converts() -> None:
    got = recipe.fill(Outer, {"name": "n", "inner": {"width": 2, "kind": "b"}, "numbers": [1, 2], "place": "x"}, "here")
    assert got == Outer(name="n", inner=Inner(width=2.0, kind="b"), numbers=(1, 2), place=Path("x"))
    assert isinstance(got.inner.width, float)
    assert recipe.fill(Outer, recipe.as_values(got), "here") == got
    assert recipe.fill(Outer, {"name": "n", "place": None}, "here").place is None
    with pytest.raises(OptionError, match="here: the option name is missing"):
        recipe.fill(Outer, {}, "here")
    with pytest.raises(OptionError, match="inner"):
        recipe.fill(Outer, {"name": "n", "inner": 3}, "here")


def test_merge() -> None:
    below = {"a": 1, "b": {"c": 1, "d": 2}}
    assert recipe.merge(below, {"b": {"c": 5}, "e-f": 3}) == {"a": 1, "b": {"c": 5, "d": 2}, "e_f": 3}
    assert below == {"a": 1, "b": {"c": 1, "d": 2}}


def test_a_recipe_that_is_not_as_toml_is(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes("# Größe\nsize = 64\n".encode("latin-1"))
    with pytest.raises(OptionError, match=r"own.toml: is not UTF-8, as TOML is; save it so"):
        options_from_call(VERBS["pretrain"], {**REQUIRED["pretrain"], "recipe": str(path)})
    for words in ("for = 3", "[for]\ncgan = 3"):
        path.write_text(words + "\n")
        with pytest.raises(OptionError, match=r"own.toml: `for` holds sections by method"):
            options_from_call(VERBS["pretrain"], {**REQUIRED["pretrain"], "recipe": str(path)})
    for words, told in (
        ("recipe = 'small'", "a recipe builds on no other.* the values of small"),
        ("[for.cgna]\nepochs = 3", r"\[for.cgna\] is of no method; did you mean cgan"),
    ):
        path.write_text(words + "\n")
        with pytest.raises(OptionError, match=told):
            options_from_call(VERBS["pretrain"], {**REQUIRED["pretrain"], "recipe": str(path)})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pretint.colorize("a.jpg", setting="vivd"), r"--setting vivd: unknown; did you mean vivid\?"),  # type: ignore[arg-type]
        (
            lambda: pretint.colorize("a.jpg", precision="fp32"),
            "--precision fp32: unknown; known are auto, float32, bf16",
        ),  # type: ignore[arg-type]
        (lambda: pretint.evaluate("run", data="d", setting="vivd"), r"--setting vivd: unknown; did you mean vivid\?"),  # type: ignore[arg-type]
    ],
    ids=["setting", "precision", "evaluate"],
)
def test_a_choice_that_is_none_is_told_in_python_too(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        call()
