from torch import nn

from references import Setting, weighted_layers


def reference(setting: Setting) -> float:
    """Full backward hooks on every layer, and loops over layers, channels and images."""
    network = setting.copy()
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # full backward hooks do not work beside it
    seen = {}
    for layer in weighted_layers(network):
        layer.register_forward_hook(lambda m, i, o: seen.setdefault(m, {}).update(a=o.detach()))
        layer.register_full_backward_hook(lambda m, i, o: seen[m].update(g=o[0]))
    inputs = setting.inputs.clone().requires_grad_()
    nn.functional.cross_entropy(network(inputs), setting.targets).backward()
    total = 0.0
    for layer, found in seen.items():
        if "g" not in found:
            continue
        for channel in range(found["a"].shape[1]):
            squares = [
                float((found["a"][n, channel] * found["g"][n, channel]).sum()) ** 2
                for n in range(len(setting.inputs))
            ]
            total += 0.5 * sum(squares) / len(squares) * layer.weight[0].numel()
    return total
