from references import Setting
from references.snip import masks


def reference(setting: Setting) -> float:
    return sum(g for mask in masks(setting) for g in mask.flatten().tolist())
