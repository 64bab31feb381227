import math

import numpy as np

from references import Setting
from references.jacov import jacobian


def reference(setting: Setting) -> float:
    rows, labels = jacobian(setting), setting.targets.tolist()
    scores = []
    for c in sorted(set(labels)):
        mine = [row for row, label in zip(rows, labels, strict=True) if label == c]
        entropy = 0.0
        for a in mine:
            for b in mine:
                r = 1.0 if a is b else float(np.corrcoef(a, b)[0, 1])
                entropy += math.log(abs(r) + 1e-5)
        if setting.classes <= 100:
            scores.append(entropy)
        elif len(mine) > 1:
            scores.append(entropy / len(mine))
    if setting.classes <= 100:
        return sum(abs(s) for s in scores)
    return sum(abs(a - b) for a in scores for b in scores) / len(scores)
