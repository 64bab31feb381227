"""NAS-Bench-301 and DARTS: search space, networks and the accuracies of its trained architectures."""
