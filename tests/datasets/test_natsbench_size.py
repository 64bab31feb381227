import bz2
import hashlib
import pickle
from collections import Counter

import pytest
import torch
from torch import nn

from zcbench.datasets.nasbench201.genotype import parse_cell
from zcbench.datasets.natsbench_size import BENCHMARK
from zcbench.datasets.natsbench_size.space import CELL, CHANNELS, Space
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.space import Available, Missing

SPACE = Space()
SIDE = {"ImageNet16-120": 16}


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def multiply_accumulates(network, side):
    """Count those of convolutions and linear layers for one image, by forward hooks."""
    total = 0

    def count(module, _, output):
        nonlocal total
        total += output.numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    network(torch.empty(1, 3, side, side, device="meta"))
    return total


def by_hand(sizes, side, classes):
    """Parameters and multiply-accumulates from the description, without building anything."""
    c1, c2, c3, c4, c5 = sizes
    layers = [(27 * c1, 1), ((c5 + 1) * classes, None)]  # weights, and the stage that says how often they act
    norms = c1 + c5
    for stage, (before, inside) in enumerate(((c1, c1), (c2, c3), (c4, c5))):
        shortcut = before * inside if before != inside else 0
        layers.append((9 * (2 * before * inside + 3 * inside**2) + shortcut, 2**stage))
        norms += inside * (6 if shortcut else 5)
    for stage, (before, inside) in enumerate(((c1, c2), (c3, c4)), start=1):
        layers.append((9 * (before * inside + inside**2) + before * inside, 2**stage))
        norms += 2 * inside
    work = sum(weights * (side // shrink) ** 2 for weights, shrink in layers if shrink) + c5 * classes
    return sum(weights for weights, _ in layers) + 2 * norms, work


# ---------------------------------------------------------------- the space


def test_all_candidates_in_the_official_order(data_folder):
    folder = data_folder / "fixtures" / "nats_bench" / "NATS-sss-v1_0-50262-simple"
    meta = pickle.loads(bz2.decompress((folder / "meta.pickle.pbz2").read_bytes()))
    assert [a.id for a in SPACE] == meta["meta_archs"]


def test_there_are_32768():
    every = list(SPACE)
    assert len(every) == len(SPACE) == 8**5 == len({a.id for a in every})
    assert (every[0].id, every[1].id, every[-1].id) == ("8:8:8:8:8", "8:8:8:8:16", "64:64:64:64:64")
    assert all(SPACE.parse(str(a)) == a and SPACE.unique_id(a) == a.id for a in every[::97])
    assert every[1].genotype == (8, 8, 8, 8, 16)
    assert SPACE.disconnected(every[0]) is None
    assert SPACE.network == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("8:8:8:8", 'it has 4 parts between ":" instead of 5'),
        ("8:8:8:8:8:8", 'it has 6 parts between ":" instead of 5'),
        ("", 'it has 1 parts between ":" instead of 5'),
        ("8:8:8:8:12", "'12' is none of 8, 16, 24"),
        ("8:8:8:8:72", "'72' is none of 8, 16, 24"),
        ("8:8:8:8: 8", "' 8' is none of 8, 16, 24"),
        ("08:8:8:8:8", "'08' is none of 8, 16, 24"),
        ("8:8:8:8:\u0668", "is none of 8, 16, 24"),
        ("8:8:8:8:" + "1" * 9999, "'11111111111111111...' is none of"),
        (CELL, 'it has 1 parts between ":" instead of 5'),
    ],
)
def test_other_strings_are_refused_in_one_line(text, reason):
    with pytest.raises(ZcbenchError) as caught:
        SPACE.parse(text)
    assert reason in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 300


def test_samples_are_uniform_and_nested():
    sample = SPACE.sample(2000, seed=3)
    assert len({a.id for a in sample}) == 2000
    assert SPACE.sample(50, seed=3) == sample[:50]
    assert SPACE.sample(50, seed=-3) != sample[:50]
    for layer in range(5):
        counts = Counter(a.genotype[layer] for a in sample)
        assert set(counts) == set(CHANNELS)
        assert all(200 < count < 300 for count in counts.values())  # 250 each, standard deviation 14.8
    digest = hashlib.sha256(" ".join(a.id for a in sample).encode()).hexdigest()
    assert digest[:16] == "3c89396b554b3016"
    for n in (0, 32_769):
        with pytest.raises(ZcbenchError, match=f"cannot sample {n} architectures: natsbench_size has 1 to 32768"):
            SPACE.sample(n, seed=0)


# ---------------------------------------------------------------- the network


def test_sizes_equal_those_of_the_real_records(data_folder):
    folder = data_folder / "fixtures" / "nats_bench" / "NATS-sss-v1_0-50262-simple"
    compared = set()
    for path in sorted(folder.glob("0*.pbz2")):
        budgets = pickle.loads(bz2.decompress(path.read_bytes()))
        for budget, record in budgets.items():
            architecture = SPACE.parse(record["arch_str"])
            for (dataset, _), trial in record["all_results"].items():
                assert trial["arch_config"]["genotype"] == CELL
                classes = trial["arch_config"]["class_num"]
                network = SPACE.build(architecture, classes)
                side = SIDE.get(dataset, 32)
                assert parameters(network) == round(trial["params"] * 1e6)
                assert multiply_accumulates(network, side) + classes == round(trial["flop"] * 1e6)
                compared.add((architecture.id, dataset, budget, classes))
    assert len(compared) == 3 * 4 * 3


def test_sizes_of_one_record():
    """Figures of the real record 284 of NATS-Bench's size space."""
    found = {}
    for dataset, classes in (("cifar10", 10), ("cifar100", 100), ("ImageNet16-120", 120)):
        network = SPACE.build(SPACE.parse("8:8:40:32:40"), classes)
        work = multiply_accumulates(network, SIDE.get(dataset, 32)) + classes
        found[dataset] = (parameters(network), work)
    assert found == {
        "cifar10": (144_834, 21_827_994),
        "cifar100": (148_524, 21_831_684),
        "ImageNet16-120": (149_344, 5_461_816),
    }


def test_counting_by_hand_agrees_with_the_network():
    for architecture in [*SPACE.sample(20, seed=0), SPACE.parse("64:64:64:64:64")]:
        network = SPACE.build(architecture, 100)
        assert (parameters(network), multiply_accumulates(network, 32)) == by_hand(architecture.genotype, 32, 100)


def test_the_network_computes_on_real_numbers():
    network = SPACE.build(SPACE.parse("8:16:24:16:40"), 10)
    assert all(p.is_meta for p in network.parameters())
    assert not any(m.inplace for m in network.modules() if isinstance(m, nn.ReLU))
    network = network.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()
    for side in (32, 16):
        logits = network(torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0)))
        assert logits.shape == (2, 10)
        assert torch.isfinite(logits).all()
        assert not torch.equal(logits[0], logits[1])


def test_the_cell_is_the_one_that_it_says():
    """The cell of NAS-Bench-201 with the same weights computes the same."""
    from zcbench.datasets.nasbench201.network import Cell
    from zcbench.datasets.natsbench_size.network import SizedCell

    ours, theirs = SizedCell(8, 8), Cell(parse_cell(CELL), 8)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = torch.randn(2, 8, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x), theirs(x))


def test_no_class_is_refused():
    with pytest.raises(ZcbenchError, match="at least one class"):
        SPACE.build(SPACE.parse("8:8:8:8:8"), 0)


# ---------------------------------------------------------------- the benchmark


def test_the_benchmark_says_what_is_there(tmp_path, monkeypatch, no_data):
    assert BENCHMARK.name == BENCHMARK.space.name == "natsbench_size"
    assert BENCHMARK.datasets == ("cifar10", "cifar10-valid", "cifar100", "imagenet16_120")
    assert BENCHMARK.default_split == "test"
    assert [type(entry) for entry in BENCHMARK.availability()] == [Missing]
    with pytest.raises(MissingFileError, match=r"natsbench_size\.parquet"):
        BENCHMARK.truth()
    monkeypatch.setenv("ZCBENCH_DATA", str(tmp_path))
    assert [type(entry) for entry in BENCHMARK.availability()] == [Missing]


def test_official_files_become_its_truth(data_folder, tmp_path, monkeypatch):
    folder = data_folder / "fixtures" / "nats_bench" / "NATS-sss-v1_0-50262-simple"
    out = tmp_path / "natsbench_size.parquet"
    summary = BENCHMARK.convert(folder, out)
    assert "of 3 of 32768 architectures (a part of the benchmark)" in summary.describe()
    monkeypatch.setenv("ZCBENCH_DATA", str(tmp_path))
    assert BENCHMARK.availability() == [Available("nats-sss-v1_0", out)]
    target = BENCHMARK.truth().select("cifar10", default_sources=BENCHMARK.default_sources)
    what = "cifar10 test accuracy after 90 epochs, training seed 777, source nats-sss-v1_0, trained"
    assert target.describe() == what
