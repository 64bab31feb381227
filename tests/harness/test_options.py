"""What can be chosen about networks: typed, limited, and part of the recipe."""

from dataclasses import dataclass, replace

import pytest

from zcbench.datasets.nasbench201.genotype import Space
from zcbench.harness import options
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.options import option
from zcbench.harness.types import Recipe


@dataclass(frozen=True)
class Toy:
    name: str = "toy"
    cells: int = option(8, help="cells in all", low=2)
    head: bool = option(False, help="whether there is one")
    task: str = option("a", help="what is predicted", choices=("a", "b"))


def test_options_are_read_printed_and_described() -> None:
    toy = options.configured(Toy(), options.split(" cells=20 , head=True,task=b"))
    assert toy == Toy(cells=20, head=True, task="b")
    assert options.joined(options.values(toy)) == "cells=20,head=true,task=b"
    assert options.described(toy) == {"cells": "cells in all", "head": "whether there is one",
                                      "task": "what is predicted"}  # fmt: skip
    assert options.configured(Toy(), options.split(options.joined(options.values(toy)))) == toy
    assert options.configured(Toy(), {}) == Toy()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cels=3", 'unknown network option "cels". Did you mean "cells"?'),
        ("cells=1", "network option cells is a whole number of 2 or more, not '1'"),
        ("cells=x", "network option cells is a whole number"),
        ("head=yes", "network option head is true or false, not 'yes'"),
        ("task=c", 'unknown value of network option task: "c"'),
        ("cells", "network options are written"),
        ("cells=2,cells=3", "network option cells is given twice"),
    ],
)
def test_a_bad_option_is_named(text: str, message: str) -> None:
    with pytest.raises(ZcbenchError) as caught:
        options.configured(Toy(), options.split(text))
    assert message in str(caught.value)


def test_a_space_without_a_choice_says_so() -> None:
    with pytest.raises(ZcbenchError, match="nothing to choose about these networks"):
        Space().configured({"cells": "3"})


def test_a_recipe_without_a_choice_keeps_the_digest_it_always_had() -> None:
    recipe = Recipe("digits", "all", "0" * 16, "as they are", 32, 0, "pytorch@1", 0)
    assert recipe.digest == "661d6f3d0608b9fe"
    assert replace(recipe, network="cells=8").digest != recipe.digest
