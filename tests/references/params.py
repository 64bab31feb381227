from references import Setting


def reference(setting: Setting) -> float:
    return sum(p.numel() for p in setting.network.parameters()) / 1e6
