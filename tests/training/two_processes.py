"""One of two processes, started by test_processes.py: trains what is asked for and leaves the runs' folders."""

import sys
from pathlib import Path

import torch

from pretint.training import loop
from tests.training.cases import CASES

if __name__ == "__main__":
    pictures, masked, out = map(Path, sys.argv[1:])
    torch.set_num_threads(1)
    loop.ASK_EVERY = 4  # so that a stop falls within an epoch
    for name, make in CASES.items():
        make(pictures, masked).run(out / name, [4] if name == "regression" else [], devices=2)
