import numpy as np

from references import Setting


def jacobian(setting: Setting) -> np.ndarray:
    inputs = setting.inputs.clone().requires_grad_()
    setting.copy()(inputs).sum().backward()
    return inputs.grad.flatten(1).numpy()


def reference(setting: Setting) -> float:
    values, _ = np.linalg.eig(np.corrcoef(jacobian(setting)))
    return float(-sum(np.log(v + 1e-5) + 1 / (v + 1e-5) for v in values.real))
