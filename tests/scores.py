"""Made-up scores, for tests of the store that need no network."""

from zcbench.harness.store import Row
from zcbench.harness.types import Outcome, Recipe, Score, Seconds

ENVIRONMENT = {"device": "cpu", "threads": "1"}
SPACE = "toy@1"


def recipe(*, batch_size: int = 4, init_seed: int = 0) -> Recipe:
    return Recipe("digits", "all", "0123456789abcdef", "none", batch_size, 0, "pytorch@1", init_seed)


def score(
    architecture: str, metric: str = "snip", *, value: float | None = 1.5, outcome: str = "ok", reason: str = "",
    recipe: Recipe = recipe(),  # noqa: B008 - it is frozen
) -> Score:  # fmt: skip
    """A score; without a value unless its outcome is ok."""
    kept = value if outcome == "ok" else None
    seconds = Seconds(0.25, 0.125)
    return Score(
        "toy", SPACE, architecture, metric, 1, recipe, kept, Outcome(outcome), reason, seconds
    )


def row(of: Score) -> Row:
    """The key of a score."""
    return Row(of.space, of.architecture, of.metric, of.version, of.recipe.digest)
