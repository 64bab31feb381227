"""TransNAS-Bench-101: search space, networks and the accuracies of its trained architectures."""
