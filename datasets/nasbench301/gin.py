"""The graph network ``gnn_gin`` of NAS-Bench-301, in plain PyTorch.

A genotype is one graph of two cells with seven nodes each (two inputs, four intermediate ones, the output);
an edge is an operation, or the identity to the output. Edges between the outputs and inputs of the cells
join them. A node's features are what it is and how many neighbours it has. With h the features [nodes, d],
each layer computes

    h_v <- BN(MLP((1 + eps) h_v + sum over edges u -> v of ReLU(h_u + e(operation)))),   ReLU between layers,

after a virtual node, which sees the sum of all nodes, has been added to every node. The prediction is the
sigmoid of a linear function of the pooled nodes, times 100: the validation accuracy in percent.

One thing is kept although it looks like a mistake, because the published weights were trained with it: the
operations of a cell are listed by destination (node 2 first), but the edges by source, and the k-th
operation is put on the k-th edge.

Source: Xu, Hu, Leskovec and Jegelka, "How Powerful are Graph Neural Networks?", ICLR 2019; package nasbench301
0.3 (BSD-3), ``surrogate_models/gnn/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zcbench.datasets import torch_file, unpickle
from zcbench.datasets.nasbench301.genotype import NODES, OPERATIONS, Cell, Genotype, pairs
from zcbench.harness.errors import ZcbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST = 4096
"""Largest width and number of layers that are believed; the benchmark's own range ends at 256 and 30."""

_POOLS = ("sum", "mean", "max")
_CELL_NODES = 7
_KINDS = (0, 1, 2, 2, 2, 2, 3)  # input, input, intermediate nodes, output
_BETWEEN = ((6, 6), (6, 7), (6, 8), (13, 0), (13, 1))


def graph(genotype: Genotype) -> tuple[Tensor, Tensor, Tensor]:
    """Return the graph of a genotype.

    Returns:
        nodes int64 [14, 2]: kind and number of neighbours; edges int64 [2, E]: source and destination;
        operations int64 [E]: 0 for the identity, else 1 + the index in `OPERATIONS`.
    """
    edges: list[tuple[int, int]] = []
    operations: list[int] = []
    for offset, cell in ((0, genotype.normal), (_CELL_NODES, genotype.reduce)):
        found, listed = _cell_edges(cell)
        edges += [(source + offset, to + offset) for source, to in found]
        operations += [1 + OPERATIONS.index(name) for name in listed] + [0] * len(NODES)
    edges += _BETWEEN
    operations += [0] * len(_BETWEEN)
    joined = {pair for source, to in edges for pair in ((source, to), (to, source))}
    neighbours = [sum(source == node for source, _ in joined) for node in range(2 * _CELL_NODES)]
    nodes = torch.tensor(list(zip(_KINDS * 2, neighbours, strict=True)))
    return nodes, torch.tensor(edges).T, torch.tensor(operations)


def _cell_edges(cell: Cell) -> tuple[list[tuple[int, int]], list[str]]:
    """Return the edges of a cell by source, and its operations by destination."""
    by_node = [sorted(both, key=lambda edge: edge[1]) for both in pairs(cell)]
    edges = [(source, node) for node, both in zip(NODES, by_node, strict=True) for _, source in both]
    listed = [name for both in by_node for name, _ in both]
    return sorted(edges) + [(node, _CELL_NODES - 1) for node in NODES], listed


def _mlp(width: int) -> list[nn.Module]:
    return [nn.Linear(width, 2 * width), nn.BatchNorm1d(2 * width), nn.ReLU(), nn.Linear(2 * width, width)]


class _NodeEncoder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.type_encoder = nn.Embedding(4, width)
        self.attribute_encoder = nn.Embedding(8, width)

    def forward(self, nodes: Tensor) -> Tensor:
        return self.type_encoder(nodes[:, 0]) + self.attribute_encoder(nodes[:, 1])  # type: ignore[no-any-return]


class _Convolution(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(*_mlp(width))
        self.eps = nn.Parameter(torch.zeros(1))
        self.edge_encoder = nn.Embedding(1 + len(OPERATIONS), width)

    def forward(self, h: Tensor, edges: Tensor, operations: Tensor) -> Tensor:
        messages = torch.relu(h[edges[0]] + self.edge_encoder(operations))
        arrived = torch.zeros_like(h).index_add(0, edges[1], messages)
        return self.mlp((1 + self.eps) * h + arrived)  # type: ignore[no-any-return]


class _Nodes(nn.Module):
    def __init__(self, width: int, layers: int, encoder: _NodeEncoder) -> None:
        super().__init__()
        self.node_encoder = encoder
        self.virtualnode_embedding = nn.Embedding(1, width)
        self.convs = nn.ModuleList(_Convolution(width) for _ in range(layers))
        self.batch_norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(layers))
        self.mlp_virtualnode_list = nn.ModuleList(
            nn.Sequential(*_mlp(width), nn.BatchNorm1d(width), nn.ReLU()) for _ in range(layers - 1)
        )

    def forward(self, nodes: Tensor, edges: Tensor, operations: Tensor) -> Tensor:
        h, virtual = self.node_encoder(nodes), self.virtualnode_embedding.weight
        for layer, (convolution, norm) in enumerate(zip(self.convs, self.batch_norms, strict=True)):
            h = h + virtual
            new = norm(convolution(h, edges, operations))
            if layer < len(self.mlp_virtualnode_list):
                virtual = self.mlp_virtualnode_list[layer](h.sum(0, keepdim=True) + virtual)
                new = torch.relu(new)
            h = new
        return h  # type: ignore[no-any-return]


class GraphNetwork(nn.Module):
    """The network; its parameters have the names of the published files.

    Args:
        width: d, the ``gnn_hidden_dimensions``.
        layers: the ``num_gnn_layers``.
        pooling: how the nodes are joined: ``sum``, ``mean`` or ``max``.
        undirected: whether every edge also counts in the other direction.
    """

    def __init__(self, width: int, layers: int, *, pooling: str, undirected: bool) -> None:
        super().__init__()
        self.node_encoder = _NodeEncoder(width)
        self.gnn_node = _Nodes(width, layers, self.node_encoder)
        self.graph_pred_linear = nn.Linear(width, 1)
        self._pooling, self._undirected = pooling, undirected

    def forward(self, nodes: Tensor, edges: Tensor, operations: Tensor) -> Tensor:
        """Return the accuracy of one graph, a fraction [1]; see `graph` for the arguments."""
        if self._undirected:
            edges, operations = torch.cat([edges, edges.flip(0)], dim=1), torch.cat([operations, operations])
        h = self.gnn_node(nodes, edges, operations)
        pooled = {"sum": h.sum(0), "mean": h.mean(0), "max": h.amax(0)}[self._pooling]
        return torch.sigmoid(self.graph_pred_linear(pooled))

    @torch.no_grad()
    def predict(self, genotypes: Sequence[Genotype]) -> list[float]:
        """Return the predicted accuracies, in percent."""
        self.eval()
        return [100 * float(self(*graph(genotype))) for genotype in genotypes]


def read(path: Path, config: Mapping[str, Any]) -> GraphNetwork:
    """Read a model file: the state of the network, as PyTorch saved it.

    Args:
        path: the file.
        config: its ``model_config.json``.

    Raises:
        UnsafeFileError: if the file asks to run code.
        ZcbenchError: if it is damaged, or of a network of another form.
    """
    network = unpickle.reading(f"{path.parent / 'model_config.json'}", lambda: _network(config))
    state = unpickle.reading(str(path), lambda: _state(path))
    unpickle.reading(str(path), lambda: network.load_state_dict(state))
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        raise ZcbenchError(f"cannot use {path}: it holds numbers that are not finite")
    return network


def _network(config: Mapping[str, Any]) -> GraphNetwork:
    width, layers = int(config["gnn_hidden_dimensions"]), int(config["num_gnn_layers"])
    if not (1 <= width <= LARGEST and 2 <= layers <= LARGEST):
        raise ValueError(f"{layers} layers of width {width}")
    if not config["virtual_node"] or config["graph_preprocessing:self_loops"]:
        raise ValueError("a graph without virtual node, or with self-loops, which was never published")
    if not config["graph_preprocessing:add_node_degree_one_hot"] or config["graph_pooling"] not in _POOLS:
        raise ValueError(f"pooling {config['graph_pooling']}, or nodes without their degree")
    undirected = bool(config["graph_preprocessing:undirected_graph"])
    return GraphNetwork(width, layers, pooling=config["graph_pooling"], undirected=undirected)


def _state(path: Path) -> Mapping[str, Tensor]:
    state = torch_file.load(path)
    if not isinstance(state, Mapping) or not all(isinstance(value, torch_file.Tensor) for value in state.values()):
        raise ValueError("no state of a network")
    return {name: torch.from_numpy(value.array().copy()) for name, value in state.items()}
