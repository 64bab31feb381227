from references import Setting, weighted_layers


def reference(setting: Setting) -> float:
    return float(len(weighted_layers(setting.network)))
