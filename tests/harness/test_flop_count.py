"""Operations of passes: by hand, by torch's own counter, and on the meta device as with numbers."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from networks import Branchy, Plain
from zcbench.datasets.nasbench201 import BENCHMARK
from zcbench.harness.initialise import INITIALISATIONS, initialise, seeded
from zcbench.harness.passes import native
from zcbench.harness.passes.evaluate import evaluate
from zcbench.harness.passes.flop_count import FactorsAreTensors, FlopCounter, TooLongError, UncountedError, count
from zcbench.harness.passes.plan import plan
from zcbench.harness.passes.run import MiniBatch, Origin, Run
from zcbench.harness.passes.spec import Logits, Passes, Procedure
from zcbench.harness.registry import select

pytestmark = pytest.mark.usefixtures("one_cell_a_stage")
N, SIDE = 6, 8
CELL = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"


def batch(device: str = "meta", n: int = N) -> MiniBatch:
    draws = [torch.randn(n, 3, SIDE, SIDE, generator=seeded(i)).to(device) for i in range(3)]
    labels = (torch.arange(n) % 3).to(device)
    return MiniBatch(draws[0], labels, 3, further=tuple((one, labels) for one in draws[1:]))


def counted(network: nn.Module, metrics: str, on: MiniBatch | None = None, **options: Any) -> dict[str, int]:
    shared = plan(q for m in select(metrics) for q in m.needs.quantities())
    return count(network, on or batch(), shared, key=("flops",), **options)


FIRST = 2 * N * SIDE**2 * 3 * 4 * 9
"""Plain's first convolution for the mini-batch: two for each of N 8² pixels, 3 x 4 channels and 3² weights."""

SECOND = 2 * N * (SIDE // 2) ** 2 * 4 * 5 * 9
HEAD = 2 * N * 5 * 3


def test_a_gradient_is_three_forwards_less_the_one_to_the_images() -> None:
    with torch.device("meta"):
        network = Plain()
    # Of each layer the product itself, that for the weights, and, but for the first layer, that for its input.
    assert counted(network, "grad_norm") == {"float32": 2 * FIRST + 3 * SECOND + 3 * HEAD}
    assert counted(network, "snip,grad_norm,plain") == {"float32": 2 * FIRST + 3 * SECOND + 3 * HEAD}


def test_one_image_of_ones_in_float64() -> None:
    with torch.device("meta"):
        network = Plain()
    assert counted(network, "synflow") == {"float64": (2 * FIRST + 3 * SECOND + 3 * HEAD) // N}


def test_a_gradient_to_the_images_alone() -> None:
    with torch.device("meta"):
        network = Plain()
    correlation = 2 * N * N * 3 * SIDE**2
    assert counted(network, "jacov") == {"float32": 2 * (FIRST + SECOND + HEAD), "float64": correlation}


def test_draws_are_counted_without_being_run() -> None:
    with torch.device("meta"):
        network = Plain()
    once, often = (counted(network, f"swap(repeats={n},samples=4)") for n in (1, 5))
    assert once == {"float32": (FIRST + SECOND + HEAD) * 4 // N}
    assert often == {"float32": 5 * once["float32"]}


def test_what_computes_nothing_counts_nothing() -> None:
    with torch.device("meta"):
        network = Plain()
    assert counted(network, "params,layers,flops,l2_norm") == {}
    assert counted(network, "swap") == {}, "undefined: it needs 16 images"


@pytest.mark.parametrize("name", ["grad_norm,snip", "synflow", "zen,nwot", "meco"])
def test_torchs_own_counter_agrees_on_the_evaluation_with_numbers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "_FAST_BYTES", False)  # products of bytes are not counted there
    shared = plan(q for m in select(name) for q in m.needs.quantities())
    network = initialise(BENCHMARK.space.build(BENCHMARK.space.parse(CELL), 3), INITIALISATIONS["pytorch"], seeded(0))
    with FlopCounterMode(display=False) as theirs:
        evaluate(network, batch("cpu"), shared, key=("flops",))
    assert sum(counted(BENCHMARK.space.build(BENCHMARK.space.parse(CELL), 3), name).values()) == (
        theirs.get_total_flops()
    ) > 0


@pytest.mark.parametrize("name", ["standard", "dextr,vkdnw,meco,te_nas_regions,az_trainability", "hnas_snip,gradsign"])
def test_counting_on_shapes_finds_what_the_evaluation_with_numbers_does(name: str) -> None:
    space = BENCHMARK.space
    architecture = space.parse(CELL)
    shared = plan(q for m in select(name) for q in m.needs.quantities())
    origin = Origin(space, architecture, 3, "pytorch@1", 0)
    network = initialise(space.build(architecture, 3), INITIALISATIONS["pytorch"], seeded(0))
    with FlopCounter() as real, FactorsAreTensors():
        evaluate(network, batch("cpu", 16), shared, key=("flops",), origin=origin)
    found = count(space.build(architecture, 3), batch(n=16), shared, key=("flops",), origin=origin)
    assert found == dict(real.flops)
    assert min(found.values()) > 0


def test_a_zero_tangent_times_a_number_does_not_end_it() -> None:
    """``x.mul(0.0)`` under forward-mode differentiation: an internal error of PyTorch, got round."""
    assert "none" in CELL
    network = BENCHMARK.space.build(BENCHMARK.space.parse(CELL), 3)
    assert counted(network, "hnas_snip")["float32"] > counted(network, "snip")["float32"] / 2


def test_what_all_architectures_share_is_left_out() -> None:
    space = BENCHMARK.space
    shared: dict[Any, Any] = {}
    first, second = space.parse(CELL), space.parse(CELL.replace("none~2", "skip_connect~2"))
    found = [
        counted(space.build(one, 3), "zeros_synflow,synflow", origin=Origin(space, one, 3, "pytorch@1", 0, shared))
        for one in (first, second, first)
    ]
    alone = [counted(space.build(one, 3), "synflow") for one in (first, second, first)]
    assert found == alone
    assert shared, "the supernet was scored before"


def test_the_network_and_its_graph_of_edges_are_allowed() -> None:
    """What torch's counter refuses: gradients with respect to outputs of layers, and a Hessian-vector product."""
    with torch.device("meta"):
        network = Branchy()
    assert counted(network, "fisher")["float32"] > 0
    assert counted(network, "grasp")["float32"] > counted(network, "grad_norm")["float32"]


def test_counting_stops_when_it_takes_too_long() -> None:
    with torch.device("meta"):
        network = Plain()
    with pytest.raises(TooLongError):
        counted(network, "grasp", seconds=0.0)


@dataclass(frozen=True)
class Peeking(Procedure):
    """Looks at a number, as somebody else's code may."""

    @property
    def passes(self) -> Passes:
        return Passes(forwards=1)

    def compute(self, run: Run) -> float:
        return run.batch.inputs.sum().item()


def test_what_looks_at_numbers_is_named() -> None:
    with torch.device("meta"):
        network = Plain()
    with pytest.raises(UncountedError) as caught:
        count(network, batch(), plan([Logits(), Peeking()]), key=("flops",))
    assert caught.value.quantity == Peeking()
    assert "\n" not in str(caught.value)


def test_inference_mode_hides_nothing() -> None:
    layer, images = nn.Linear(4, 5, device="meta"), torch.empty(2, 4, device="meta")
    with FlopCounter() as counter, torch.inference_mode():
        layer(images)
    assert counter.flops == {"float32": 2 * 2 * 4 * 5}


def test_a_product_of_bytes_counts_as_that_of_float32_for_which_it_stands() -> None:
    network = initialise(BENCHMARK.space.build(BENCHMARK.space.parse(CELL), 3), INITIALISATIONS["pytorch"], seeded(0))
    shared = plan(q for m in select("nwot") for q in m.needs.quantities())
    found = []
    for fast in (False, True):
        with pytest.MonkeyPatch.context() as patch, FlopCounter() as counter:
            patch.setattr(native, "_FAST_BYTES", fast)
            evaluate(network, batch("cpu"), shared, key=("flops",))
        found.append(dict(counter.flops))
    assert found[0] == found[1]


def test_on_a_gpu_edges_of_none_are_computed() -> None:
    cell = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|none~2|"  # with two dead convolutions
    architecture = BENCHMARK.space.parse(cell)
    on_cpu, on_gpu = (
        counted(BENCHMARK.space.build(architecture, 3), "snip", device=device)["float32"] for device in ("cpu", "cuda")
    )
    forward = counted(BENCHMARK.space.build(architecture, 3), "nwot", device="cuda")["float32"]
    assert forward < on_cpu < on_gpu
    assert counted(BENCHMARK.space.build(architecture, 3), "zen") == counted(
        BENCHMARK.space.build(architecture, 3), "zen", device="cuda"
    )
