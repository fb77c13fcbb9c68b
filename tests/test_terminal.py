"""What is printed is what is meant, whatever stands in the names of files and classes."""

import io

import pytest
from rich.table import Table

from pretint.terminal import Terminal, counted


def test_square_brackets_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().print("runs/a[/b]: car [red], car [blue] :smile:")
    table = Table("[head]", title="[bold]title")
    table.add_row("ap car [red]")
    Terminal().print(table)
    out = capsys.readouterr().out
    for words in ("runs/a[/b]: car [red], car [blue] :smile:", "[head]", "[bold]title", "ap car [red]"):
        assert words in out


def test_one_is_no_plural() -> None:
    assert [counted(number, "core") for number in (0, 1, 2, 14700)] == ["0 cores", "1 core", "2 cores", "14,700 cores"]
    assert [counted(number, "cell or trial", "cells or trials") for number in (1, 2)] == [
        "1 cell or trial",
        "2 cells or trials",
    ]


def test_stderr_and_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(errors=True).print("heard")
    Terminal(errors=True, quiet=True).print("unheard")
    assert capsys.readouterr() == ("", "heard\n")


def test_readers_who_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of results: the command line ends well. Of progress: what is done goes on."""

    class Left(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Left())
    monkeypatch.setattr("sys.stderr", Left())
    with pytest.raises(BrokenPipeError):
        Terminal().print("results")
    progress = Terminal(errors=True)
    for _ in range(2):
        progress.print("progress")


def test_what_is_no_terminal_is_not_wrapped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    Terminal().print("word " * 60)
    assert capsys.readouterr().out.count("\n") == 1
