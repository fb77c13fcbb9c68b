"""The reproduction as a page of Markdown, and its verdict in words. Loads no torch.

pretint reproduce --out docs/reproduction.md
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pretint.reproduction.number import MEANINGS

_HEAD = """\
# Reproduction

Written by `{command}`; do not edit by hand.

Every number that can be had from the paper (Treneska et al., Sensors 2022, 22, 1599) and its authors' code, beside what this
version computes. Claims are from the paper, from the code, or expected by hand ("computed"). What needs no data is computed when
the page is written, in about a minute (`pretint reproduce`); `--voc`, `--coco` and `--coco-test` add trainings on pictures of
yours, whose numbers have the status "measured".

| status | meaning | numbers |
|---|---|---|
"""

_EXPLANATION = """\
## The segmentation column of Table 4

{verdict}

How the value arises. The notebook compiles its network with Keras' `MeanIoU(21)` and hands it one-hot targets and softmax
outputs. The metric expects class indices. It takes no largest output; it casts every element of both arrays to a whole
number:

1. A target element is 0 or 1. A softmax output below 1 becomes 0. So each picture is 256 x 256 x 21 "pixels" of true
   class 0 or 1, all predicted as 0.
2. Two cells of the 21 x 21 matrix fill: true 0 predicted 0 (20 of 21 elements) and true 1 predicted 0 (1 of 21). "Class" 0
   has an IoU of 20/21, "class" 1 has 0, the other nineteen occur nowhere and are left out. The mean is 10/21, 47.62 %, for
   any pictures and any network.
3. The matrix of a batch is counted in float32 by adding ones. At 2^24 this stops, since 2^24 + 1 is no number of float32.
   A picture has 20 x 65,536 zeros, so that the first cell stops in batches of {first} pictures or more, and the second does
   not. Larger batches therefore count less, and the value falls. (So it is in Keras 2, the authors' and today's tf_keras;
   Keras 3.15 counts in whole numbers and gives 47.62 % for every batch size.)
4. 297 pictures in batches of 32 are nine full ones and one of 9: the first cell is 9 x 2^24 + 9 x 1,310,720 = 162,791,424,
   the second 297 x 65,536 = 19,464,192, half of the first's share {batch32} %. In batches of 16 (eighteen full ones and one
   of 9) it is {batch16} %.

What is sure and what is not. 44.66 is met to all printed digits. 47.07 is ours cut off; rounded it would be 47.08. That the
arms were scored in batches of 32 (Keras' default) and of 16 (that of the training) is inferred, and so is that the paper's
values are this metric's: the last cell of the notebook takes the likeliest class first, which would be right, and its
output is not stored. But two values that need no network, from the paper's own number of pictures and the notebook's own
batch sizes, meet both printed ones; of the numbers of pictures near 297 no other gives both:

| pictures | batches of 32, % | batches of 16, % | 44.66 and 47.08 |
|---|---|---|---|
"""


def verdict(document: Sequence[Mapping[str, Any]]) -> str:
    """Three sentences on the segmentation column of Table 4."""
    ours = {number["id"]: number["ours"] for number in document}
    return (
        f"The segmentation column of Table 4 (44.66 and 47.07 % mean IoU) is no evidence of transfer: the metric of the "
        f"authors' notebook gives {ours['miou_artefact_batch32']} % for 297 test pictures in batches of 32 and "
        f"{ours['miou_artefact_batch16']} % in batches of 16, whatever the network predicts. It takes each of the "
        "256 x 256 x 21 outputs of a picture for a class index, which rounds to 0, and counts in float32, which stops at 2^24, so "
        "that only the number of pictures and the batch size are left. That the printed values arose so is inferred, since the "
        "outputs of these cells are not stored; an untrained network and one that is right everywhere get the same two numbers."
    )


def page(document: Sequence[Mapping[str, Any]], command: str) -> str:
    """The page, from what ``collect`` gives; ``command`` is what wrote it."""
    by_id = {number["id"]: number for number in document}
    counts = {status: sum(number["status"] == status for number in document) for status in MEANINGS}
    text = _HEAD.format(command=command) + "".join(
        f"| {status} | {words} | {counts[status]} |\n" for status, words in MEANINGS.items()
    )
    text += "\n" + _EXPLANATION.format(
        verdict=verdict(document),
        first=by_id["artefact_stops_from_batch"]["ours"],
        batch32=by_id["miou_artefact_batch32"]["ours"],
        batch16=by_id["miou_artefact_batch16"]["ours"],
    )
    fitting = by_id["artefact_neighbours"]["ours"]
    for pictures, values in by_id["artefact_table"]["ours"].items():
        both = "yes" if int(pictures) in fitting else "no"
        text += f"| {pictures} | {values[0]:.4f} | {values[1]:.4f} | {both} |\n"
    for topic in dict.fromkeys(number["topic"] for number in document):
        text += f"\n## {topic}\n\n| number | published or expected | from | this version | status |\n|---|---|---|---|---|\n"
        text += "".join(row(number) for number in document if number["topic"] == topic)
    return text


def row(number: Mapping[str, Any]) -> str:
    """One line of a topic's table."""
    claim, ours = shown(number["claim"]), shown(number["ours"])
    if number["id"] == "artefact_table":
        ours = "the table above"
    elif ours == claim and isinstance(number["ours"], dict):
        ours = "the same"
    words = f"**{number['title']}**: {number['what']} `{number['id']}`"
    return f"| {words} | {claim} | {number['source'] if claim else ''} | {ours} | {number['status']} |\n"


def shown(value: Any) -> str:
    """A value in words: thousands apart, names before their values; nothing for None."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case dict():
            return "; ".join(f"{name}: {shown(part)}" for name, part in value.items())
        case list():
            return ", ".join(map(shown, value)) if value else "none"
        case _:
            return str(value)
