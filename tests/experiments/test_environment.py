"""Work that goes on in another environment says so, keeps the list, and the pages show it."""

import subprocess
from pathlib import Path

import pytest

import pretint
from pretint.errors import Interrupted
from pretint.experiments import environment as module
from pretint.experiments import starting
from pretint.experiments.environment import changes, continued, environment, resumptions
from pretint.pages.facts import facts
from pretint.run_folder import RunFolder
from pretint.training.loop import Loop
from tests.experiments.tiny_runs import PRETRAIN

START = {"environment": {"commit": "1a2b", "gpu": None, "threads": 2}, "begun": "2026-01-02 03:04:05"}


def test_the_same_environment_is_no_news() -> None:
    environments, sentence = continued(START, {"commit": "1a2b", "gpu": None, "threads": 2}, step=7)
    assert sentence == ""
    assert environments == [{**START["environment"], "since": START["begun"]}]  # type: ignore[dict-item]
    assert resumptions(environments) == []
    assert changes(environment(), environment()) == ""


def test_what_changed_is_told_once_and_listed_in_order() -> None:
    first, sentence = continued(START, {"commit": "3c4d", "gpu": None, "threads": 2}, step=7)
    assert "commit 1a2b, now 3c4d" in sentence
    assert "threads" not in sentence
    manifest = {**START, "environments": first}
    again, sentence = continued(manifest, {"commit": "3c4d", "gpu": None, "threads": 2}, step=9)
    assert (again, sentence) == (first, "")
    last, _ = continued(manifest, {"commit": "3c4d", "gpu": "a card", "threads": 2}, step=20)
    assert [one["commit"] for one in last] == ["1a2b", "3c4d", "3c4d"]
    one, other = resumptions(last)
    assert one.startswith("after 7 steps (")
    assert one.endswith("): commit 1a2b, now 3c4d")
    assert other.endswith("): gpu none, now a card")


def test_a_run_that_goes_on_elsewhere_says_so(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"data": pictures, "out": tmp_path / "run", **PRETRAIN}
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_wishes", lambda loop: (loop._step == 2, False))
        with pytest.raises(Interrupted):
            pretint.pretrain(**options)
    here = environment()
    monkeypatch.setattr(starting, "environment", lambda: {**here, "commit": "another"})
    pretint.pretrain(**options, resume=True, quiet=False)
    run = RunFolder.open(tmp_path / "run")
    assert f"resumed in another environment: commit {here['commit'] or 'none'}, now another" in capsys.readouterr().err
    assert run.manifest["environment"]["commit"] == here["commit"]
    assert [(one["commit"], one.get("step")) for one in run.manifest["environments"]] == [
        (here["commit"], None),
        ("another", 2),
    ]
    assert "after 2 steps" in dict(facts(run))["Went on elsewhere"]


def test_the_commit_of_a_checkout_whose_path_has_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = tmp_path / "my work"
    file = checkout / "src" / "environment.py"
    file.parent.mkdir(parents=True)
    file.write_text("one\n")

    def git(*words: str) -> str:
        named = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *named, *words], cwd=checkout, capture_output=True, text=True, check=True).stdout

    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    monkeypatch.setattr(module, "__file__", str(file))
    commit = git("log", "--format=%H").strip()[:12]
    assert environment()["commit"] == commit
    file.write_text("two\n")
    assert environment()["commit"] == commit + "+"
