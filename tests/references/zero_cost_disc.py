from references import Setting
from references.zero_cost_pt import alone, nwot, sum_of_ranks
from references.zeros_snip import supernet

NETWORKS = ("nasbench201",)
FULL_SIZE = False  # 25 and more passes on the whole network take long


def reference(setting: Setting) -> float:
    return sum_of_ranks(setting, supernet(setting), alone, nwot, 1)
