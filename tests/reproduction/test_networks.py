"""The paper's networks: the claims agree with each other, and a changed network is seen."""

import pytest
import torch

from pretint.reproduction import networks


def test_everything_is_met():
    found = networks.numbers()
    assert {number.status for number in found} == {"reproduced"}
    assert len({number.id for number in found}) == len(found) == 5 * 5 + 2 + 6 + 1


@pytest.mark.parametrize("name", networks.CLAIMS)
def test_layers_and_norms_make_the_sum(name):
    """Gamma and beta are as many as moving averages, and twice as many as the biases before them."""
    claim = networks.CLAIMS[name]
    norms = claim.total - claim.trainable
    assert sum(networks.LAYERS[name].values()) + norms == claim.trainable
    assert norms == 2 * claim.idle_biases


def test_another_network_is_seen(monkeypatch):
    build = networks.paper_networks

    def narrower():
        found = build()
        found["segmenter"].decoder.d1.conv.bias = None
        return found

    monkeypatch.setattr(networks, "paper_networks", narrower)
    differing = {number.id for number in networks.numbers() if number.status == "differs"}
    assert differing == {f"segmenter_{what}" for what in ("trainable", "total", "without_idle_biases", "layers")}


def test_padding_that_keeps_the_size():
    network = networks._padded_to_keep_size(networks.PatchDiscriminator("70", width=1 / 32))
    lightness, ab = torch.rand(2, 1, 64, 64), torch.rand(2, 2, 64, 64)
    assert network(lightness, ab).shape == (2, 1, 8, 8)
