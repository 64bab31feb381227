"""A whole run of the per-metric loop as a program: ``python whole_loop.py CELLS.txt DATASET`` prints the scores.

What a user of zero-cost-nas or NASLib has instead of ``zcbench score``: a script that loads a mini-batch, builds one
network after the other and computes metric by metric, with as many threads as PyTorch takes by itself. pandas, which
only zcbench's readers import, is hidden from the collections of garbage that the loop makes.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import pandas  # noqa: F401

gc.collect()
gc.freeze()
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch  # noqa: E402

from bench.opponents import Subject, loop  # noqa: E402
from zcbench.datasets import images  # noqa: E402
from zcbench.datasets.nasbench201 import BENCHMARK  # noqa: E402
from zcbench.harness.initialise import initialisation, initialise, seeded  # noqa: E402


def main(file: Path, dataset: str) -> dict[str, dict[str, float]]:
    """Scores by architecture and metric, of the networks that ``zcbench score`` builds as well."""
    drawn, space, init = images.load(dataset, batch_size=32), BENCHMARK.space, initialisation("pytorch")
    inputs, targets = torch.from_numpy(drawn.inputs), torch.from_numpy(drawn.targets)
    scores = {}
    for line in file.read_text().split():
        key = (str(init), 0, line)
        network = initialise(space.build(space.parse(line), drawn.classes), init, seeded(*key, "initial"))
        subject = Subject(network, inputs, targets, key)
        scores[line] = {name: score(subject) for name, score in loop.METRICS.items()}
    return scores


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
