"""NAS-Bench-201: its search space, its network and the accuracies of its trained cells."""
