"""Measuring processes: asked, ended, and begun again; what they print is no answer."""

import sys

import pytest

from pretint.errors import ResourceError
from pretint.speed.children import Child

STAND_IN = """
import json, sys
case = json.loads(sys.stdin.readline())
def say(**fields):
    print(json.dumps({"most": case["most"], "now": 1, "gpu": 0, **fields}), flush=True)
say(kind=case["kind"])
for line in sys.stdin:
    request = json.loads(line)
    if request.get("die"):
        sys.exit(9)
    say(**({"error": "no memory"} if request.get("fail") else {"heard": request}))
"""


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Child:  # type: ignore[no-untyped-def]
    """A child whose process is a small stand-in for the worker."""
    script = tmp_path / "python"
    (tmp_path / "worker.py").write_text(STAND_IN)
    script.write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path / 'worker.py'}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    return Child("peaks", {"threads": 1}, {"kind": "test", "most": 7})


def test_ask_and_rest(child: Child) -> None:
    with child:
        assert child.start()["kind"] == "test"
        assert child.ask(least=0.5)["heard"] == {"least": 0.5}
        assert child.most == 7
        child.rest()
        assert child.ask(more=1)["heard"] == {"more": 1}  # it was begun again by itself


@pytest.mark.parametrize(("request_", "words"), [({"fail": True}, "peaks: no memory"), ({"die": True}, "was ended")])
def test_faults_are_told(child: Child, request_: dict[str, bool], words: str) -> None:
    with child, pytest.raises(ResourceError, match=words):
        child.ask(**request_)
