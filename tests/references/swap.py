import torch
from torch import nn

from references import Setting


def reference(setting: Setting) -> float:
    counts = []
    for number in range(int(setting.parameters["repeats"])):
        network = setting.redrawn(number)
        patterns = set()

        def collect(m, i, o, patterns=patterns):
            if o.dim() == 4:
                patterns.update(map(tuple, (o > 0).flatten(1).T.tolist()))

        for module in network.modules():
            if isinstance(module, nn.ReLU):
                module.register_forward_hook(collect)
        with torch.no_grad():
            network(setting.inputs[: int(setting.parameters["samples"])])
        counts.append(len(patterns))
    return sum(counts) / len(counts)
