"""Train the chains and write accuracies.csv: ``python -m zcbench_chains.train``.

scikit-learn's digits, 8x8, the grey value in three channels, in [0, 1]; the last 360 of its 1,797 images are the test
images. Adam, learning rate 0.01, 8 epochs, mini-batches of 64, PyTorch's initialisation, two seeds.
"""

from pathlib import Path

import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch import nn

from zcbench.harness.initialise import initialisation, initialise, seeded
from zcbench_chains.benchmark import SPACE

EPOCHS, TEST = 8, 360


def accuracy(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, seed: int) -> float:
    """Train a network and return its accuracy on the last images."""
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    generator = seeded("order", seed)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(images) - TEST, generator=generator).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(images[chosen]), labels[chosen]).backward()
            optimiser.step()
    network.eval()
    with torch.no_grad():
        return float((network(images[-TEST:]).argmax(1) == labels[-TEST:]).double().mean())


def main() -> None:
    """Train every chain and write the table."""
    digits = load_digits()
    images = torch.from_numpy(digits.images).float()[:, None].expand(-1, 3, -1, -1) / 16
    labels = torch.from_numpy(digits.target).long()
    torch.set_num_threads(1)
    rows = []
    for chain in SPACE:
        for seed in (0, 1):
            network = initialise(SPACE.build(chain, 10), initialisation("pytorch"), seeded("training", seed, chain.id))
            rows.append({
                "architecture": chain.id, "dataset": "digits", "split": "test", "epochs": EPOCHS, "seed": seed,
                "metric": "accuracy", "value": round(accuracy(network.train(), images, labels, seed), 6),
                "source": "zcbench-chains", "kind": "trained",
            })  # fmt: skip
    pd.DataFrame(rows).to_csv(Path(__file__).with_name("accuracies.csv"), index=False)


if __name__ == "__main__":
    main()
