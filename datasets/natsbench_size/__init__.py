"""The size search space of NATS-Bench: search space, networks and the accuracies of its trained architectures."""
