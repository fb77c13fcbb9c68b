"""The command line: finds the verb, hands it its arguments, turns errors into one sentence and an exit code.

Exit codes: 0 done; 1 a fault of pretint's own, with its traceback; 2 something that the user can mend; 75 interrupted by
Ctrl-C or SIGTERM after saving, so that the same command with --resume goes on.
"""

import errno
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pretint import __version__
from pretint.errors import Interrupted, PretintError
from pretint.methods import suggest
from pretint.training.allocator import raise_allocator_thresholds

VERBS = {
    "prepare": "pictures of any size to shards: resized once, read faster",
    "pretrain": "learn from pictures without labels, by colouring them",
    "finetune": "train on a task with few labels, from a pretrained run or from scratch",
    "compare": "whether pretraining helped, over label fractions and seeds, and how sure that is",
    "evaluate": "score a run on test pictures, beside the scores of knowing nothing",
    "colorize": "colour photographs at their full size",
    "predict": "labels or masks for new pictures",
    "embed": "features of pictures, as tables of numbers",
    "export": "a trained colorizer as one file, in half precision where wanted",
    "describe": "networks, parameters, steps and files of a recipe or run",
    "report": "one page about a run, several runs, a study or a demo",
    "reproduce": "the paper's numbers beside what this version computes, and what they mean",
    "bench": "how fast this machine does the work, how fast it could, and what holds it up",
    "demo": "all of it on made scenes in six minutes, with a report",
}
"""Each verb is a module of ``pretint.commands``; it is imported when it is called."""

USAGE = """\
usage: pretint VERB [OPTIONS]     pretint VERB --help tells the options of a verb

Learns from pictures without labels by colouring them, and says honestly whether that helped.

{verbs}

begin:
  pretint demo
  pretint pretrain --data PHOTOS --out runs/photos
  pretint finetune --task segmentation --data LABELLED --init runs/photos --out runs/task
  pretint evaluate runs/task --data LABELLED
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; gives back the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    try:
        if not arguments or arguments[0] in ("-h", "--help", "help"):
            print(USAGE.format(verbs="\n".join(f"  {verb:<10}{words}" for verb, words in VERBS.items())), end="")
            sys.stdout.flush()
            return 0 if arguments else 2
        if arguments[0] == "--version":
            print(f"pretint {__version__}")
            sys.stdout.flush()
            return 0
        verb, *rest = arguments
        if verb not in VERBS:
            raise PretintError(f"{verb}: is no verb of pretint; {suggest(verb, VERBS)}")
        if "" in rest:
            raise PretintError(
                "one of the arguments is empty, as of a variable that is not set; give it a value, or leave it out"
            )
        raise_allocator_thresholds()
        import_module(f"pretint.commands.{verb}").command(rest)
        sys.stdout.flush()
    except PretintError as error:
        return _end(2, f"pretint: {error}")
    except Interrupted as interrupted:
        return _end(75, f"pretint: {interrupted}")
    except KeyboardInterrupt as interrupted:  # which may say what is left
        return _end(130, f"pretint: {str(interrupted) or 'interrupted'}")
    except BrokenPipeError:  # the reader of our output has left, as `| head` does
        _drop_output()
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename:  # of a file that we write to
            raise
        _drop_output()
        return _end(2, f"pretint: the output cannot be written ({error.strerror}); make room, or send it elsewhere")
    return 0


def _open_streams() -> None:
    """A stream that the caller has closed takes what is written, and drops it; a name that the terminal cannot show is shown escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until the process ends
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Python would complain once more at its end of what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(code: int, words: str) -> int:
    from pretint.terminal import tell  # with rich behind it, for which --help need not wait

    tell(words)
    return code
