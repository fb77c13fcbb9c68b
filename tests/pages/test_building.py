"""From folders to a page: what is recognised, where the page goes, what is refused."""

import json
import shlex

import pytest

from pretint.errors import OptionError, RunError
from pretint.pages.building import build
from tests.pages.studies import study, write_study
from tests.pages.test_page import Reader
from tests.pages.test_runs import finetuning


def built(paths, out=None):
    page = build(paths, out, lambda manifest: f"pretint {manifest['kind']} --again")
    reader = Reader(page.read_text(encoding="utf-8"))
    assert not reader.faults
    return page, reader


def test_a_run_has_its_page_in_its_folder(tmp_path):
    run = finetuning(tmp_path / "scratch")
    page, reader = built([run])
    assert page == run / "report.html"
    assert reader.texts("h1")[0].startswith("Fine-tuning scratch")
    assert reader.texts("code") == ["pretint finetune --again", f"pretint report {run}"]
    assert built([run], tmp_path / "deep" / "page.html")[0].is_file()


def test_several_runs_and_folders_of_runs(tmp_path):
    one, two = finetuning(tmp_path / "runs" / "a"), finetuning(tmp_path / "runs" / "b", 0.5)
    (tmp_path / "runs" / "notes").mkdir()
    _, reader = built([one, two], tmp_path / "page.html")
    assert reader.texts("h1")[0].startswith("Runs a and b")
    assert reader.texts("code")[-1] == f"pretint report {one} {two} --out {tmp_path / 'page.html'}"
    page, whole = built([tmp_path / "runs"])
    assert page == tmp_path / "runs" / "report.html"
    assert whole.texts("table") == reader.texts("table")
    assert built([one, tmp_path / "runs"], tmp_path / "x.html")[1].texts("h1") == reader.texts("h1")  # each run once


def test_a_study_is_told_as_a_study(tmp_path):
    folder = write_study(tmp_path / "study", study())
    page, reader = built([folder])
    assert page == folder / "report.html"
    assert "cgan helped, by 5.0 points." in reader.texts("p")
    with pytest.raises(RunError, match="name it alone"):
        build([folder, finetuning(tmp_path / "a")], tmp_path / "x.html", lambda _: None)


def test_a_demo_has_its_page_again_and_while_it_runs_that_of_its_runs(tmp_path):
    demo = tmp_path / "demo"
    finetuning(demo / "pretrain")
    assert built([demo])[1].texts("h1")[0].startswith("Fine-tuning pretrain")
    document = {"title": "pretint demo", "verdict": "It helped.", "sections": []}
    (demo / "report.json").write_text(json.dumps(document))
    _, reader = built([demo], tmp_path / "elsewhere.html")
    assert "It helped." in reader.texts("p")
    (demo / "report.json").write_text("{")
    with pytest.raises(RunError, match=r"report\.json: is damaged"):
        build([demo], None, lambda _: None)


@pytest.mark.parametrize("out", ["page.txt", "runs", "."])
def test_a_page_is_a_file_whose_name_ends_in_html(tmp_path, out):
    run = finetuning(tmp_path / "a")
    with pytest.raises(OptionError, match=r"--out .* \.html"):
        build([run], tmp_path / out, lambda _: None)


def test_what_cannot_be_told_is_refused_by_name(tmp_path):
    run = finetuning(tmp_path / "a")
    with pytest.raises(OptionError, match="--out: is missing"):
        build([run, run], None, lambda _: None)
    with pytest.raises(RunError, match=r"gone: there is no such folder"):
        build([tmp_path / "gone"], None, lambda _: None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=r"empty: is not the folder of a run, a study or a demo"):
        build([tmp_path / "empty"], None, lambda _: None)
    (run / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json: is damaged"):
        build([run], None, lambda _: None)
    assert not list(tmp_path.rglob("report.html"))


def test_commands_are_quoted_for_a_shell(tmp_path):
    run = finetuning(tmp_path / "mein ordner" / "lauf 1")
    _, reader = built([run])
    assert shlex.split(reader.texts("code")[-1]) == ["pretint", "report", str(run)]
    folder = write_study(tmp_path / "eine studie", study())
    assert shlex.split(built([folder])[1].texts("code")[-1]) == ["pretint", "report", str(folder)]
