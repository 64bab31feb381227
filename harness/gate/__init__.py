"""Stop a loss of metric quality: baselines, what is held against them, and the result; imports no torch."""
