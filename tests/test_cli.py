"""The command line: help, suggestions, exit codes."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import pretint
from pretint.cli import VERBS, main
from pretint.errors import DataError, Interrupted, OptionError
from pretint.methods import names
from tests.conftest import SOURCES


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> str:
    """A verb of the tests' own; what it does is set by ``pretint.commands.trial.command``."""
    module = ModuleType("pretint.commands.trial")
    monkeypatch.setitem(sys.modules, "pretint.commands.trial", module)
    monkeypatch.setitem(VERBS, "trial", "does what a test says")
    return "trial"


def _does(error: BaseException | None) -> None:
    def command(arguments: list[str]) -> None:
        if error is not None:
            raise error

    sys.modules["pretint.commands.trial"].command = command  # type: ignore[attr-defined]


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)
    assert main([]) == 2
    assert capsys.readouterr().out == out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pretint {pretint.__version__}\n"


@pytest.mark.parametrize(
    ("verb", "option", "family"),
    [
        ("pretrain", "pretext", "pretexts"),
        ("pretrain", "backbone", "networks"),
        ("finetune", "backbone", "networks"),
        ("finetune", "task", "tasks"),
    ],
)
def test_help_names_every_method(verb: str, option: str, family: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Those whose files are there: none is listed by hand."""
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert f"--{option} {{{','.join(names(family))}}}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (None, 0, ""),
        (DataError("x.jpg: is broken; remove it"), 2, "pretint: x.jpg: is broken; remove it\n"),
        (Interrupted(Path("runs/a")), 75, "pretint: runs/a: stopped and saved; the same command with --resume goes on\n"),
        (KeyboardInterrupt(), 130, "pretint: interrupted\n"),
        (KeyboardInterrupt("interrupted; 3 of 9 are done"), 130, "pretint: interrupted; 3 of 9 are done\n"),
    ],
)  # fmt: skip
def test_exit_codes(
    verb: str, error: BaseException | None, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _does(error)
    assert main([verb]) == code
    assert capsys.readouterr() == ("", words)


def test_a_fault_of_ours_keeps_its_traceback(verb: str) -> None:
    _does(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main([verb])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pretrane"], ["pretrane", "did you mean pretrain?"]),
        (["pretrain", "--data", "a", "--out", "o", "--epoch", "3"], ["--epoch", "--epochs"]),
        (["pretrain", "--data", "a", "--out", "o", "--pretext", "cgan", "--cgan.l1-wait", "3"], ["--cgan.l1-wait", "--cgan.l1-weight"]),
        (["pretrain", "--data", "a", "--out", "o", "--pretext", "cgam"], ["--pretext cgam", "did you mean cgan?"]),
        (["pretrain", "--data", "a", "--out", "o", "--recipe", "smal"], ["--recipe smal", "did you mean small?"]),
        (["pretrain", "--data", "a", "--out", "o", "--epochs", "many"], ["--epochs"]),
        (["pretrain", "--data", "a", "--out", "o", "--size", "8"], ["--size 8"]),
        (["pretrain", "--out", "o"], ["--data"]),
        (["finetune", "--data", "a", "--out", "o"], ["--task"]),
        (["finetune", "--data", "a", "--out", "o", "--task", "segmentatoin"], ["did you mean segmentation?"]),
        (["pretrain", "--data", "a", "--out", "o", "--unet.width", "0.5"], ["--unet: is a section of --backbone unet", "--backbone unet too"]),
        (["pretrain", "--data", "a", "--out", "o", "--pretext", "cgam", "--cgan.l1-weight", "5"], ["did you mean cgan?"]),
        (["finetune", "--data", "a", "--out", "o", "--multilabel.head", "paper"], ["--task"]),
        (["pretrain"], ["--data", "--out"]),
        (["pretrain", "--data", "a", "--out"], ["--out"]),
    ],
)  # fmt: skip
def test_faults_of_options(arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as end:  # tyro ends the process itself
        code = end.code  # type: ignore[assignment]
    assert code == 2
    out, errors = capsys.readouterr()
    assert out == ""
    assert all(word in errors for word in words), errors
    assert "Traceback" not in errors


def test_the_package_knows_its_verbs() -> None:
    assert set(VERBS) <= set(pretint.__all__)
    assert callable(pretint.pretrain)
    with pytest.raises(AttributeError, match="pretrane"):
        pretint.pretrane  # noqa: B018


@pytest.mark.parametrize(
    "arguments", [["describe", "paper"], ["describe", "paper", "--json"], ["--help"], ["--version"]]
)
def test_a_reader_who_leaves_is_no_fault(arguments: list[str], tmp_path: Path) -> None:
    """As `pretint describe paper | head -1`, whose reader is gone before the first byte here."""
    reading, writing = os.pipe()
    os.close(reading)
    with (tmp_path / "errors").open("w") as errors:
        command = [sys.executable, "-m", "pretint", *arguments]
        code = subprocess.run(
            command, stdout=writing, stderr=errors, env=os.environ | {"PYTHONPATH": SOURCES}
        ).returncode
    os.close(writing)
    assert (code, (tmp_path / "errors").read_text()) == (0, "")


def test_an_empty_argument_is_no_path(capsys: pytest.CaptureFixture[str]) -> None:
    """As of a shell's variable that is not set; as a path it would be the current folder."""
    assert main(["colorize", ""]) == 2
    assert "one of the arguments is empty" in capsys.readouterr().err


def test_an_empty_text_is_no_path_in_python_either(tmp_path: Path) -> None:
    for call in (pretint.predict, pretint.embed):
        with pytest.raises(OptionError, match="one of the paths is empty"):
            call("run", ["a.png", ""], out=tmp_path / "out")
    for call in (pretint.colorize, pretint.prepare):
        with pytest.raises(OptionError, match="one of the paths is empty"):
            call("", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _shell(words: str) -> subprocess.CompletedProcess[str]:
    """A line of bash in which PRETINT is the command."""
    line = words.replace("PRETINT", f"{sys.executable} -m pretint")
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, errors="replace", env=environment)


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("PRETINT describe small >&-", 0, ""),
        ("PRETINT describe nothing 2>&-", 2, ""),
        (
            "PRETINT --version > /dev/full",
            2,
            "pretint: the output cannot be written (No space left on device); make room",
        ),
        ("PRETINT describe small --json > /dev/full", 2, "pretint: the output cannot be written"),
        ("PRETINT describe $'no\\xff'", 2, "pretint: --recipe no\\udcff: unknown"),
    ],
)
def test_streams_that_take_nothing(line: str, code: int, told: str) -> None:
    done = _shell(line)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_reader_of_progress_who_leaves_ends_no_work(coloring_run: Path, tmp_path: Path) -> None:
    """Whoever reads stdout may stop the work, as ``| head`` does."""
    out = tmp_path / "a.safetensors"
    assert _shell(f"PRETINT export {coloring_run} {out} 2> >(exec true)").returncode == 0
    assert out.exists()
