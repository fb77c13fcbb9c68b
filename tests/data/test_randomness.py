"""Addressed random numbers: the same address gives the same bits, two addresses share none."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pretint.data.randomness import PURPOSES, generator
from pretint.errors import OptionError

addresses = st.tuples(
    st.integers(0, 3), st.sampled_from(sorted(PURPOSES)), st.integers(0, 3), st.integers(0, 3) | st.just(2**40)
)


@given(addresses, addresses)
def test_two_addresses_share_no_word(one, other) -> None:
    assume(one != other)
    words = [set(generator(*address).bit_generator.random_raw(200).tolist()) for address in (one, other)]
    assert not words[0] & words[1]


def test_drawing_counts_up_the_free_word_alone() -> None:
    draws = generator(5, "view", epoch=2, picture=7)
    draws.bit_generator.random_raw(4000)
    counter = draws.bit_generator.state["state"]["counter"]
    np.testing.assert_array_equal(counter, [1000, PURPOSES["view"], 2, 7])


def test_an_address_means_the_same_bits_for_ever() -> None:
    # Written down once: a change would silently change every run that names a seed.
    assert generator(1, "order", 2, 3).bit_generator.random_raw(2).tolist() == [
        3204158990946954661,
        2227402880535273580,
    ]
    assert list(PURPOSES)[:2] == ["order", "view"]
    assert PURPOSES["order"] == 1


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_an_error(seed: int) -> None:
    with pytest.raises(OptionError, match="--seed"):
        generator(seed, "view")
