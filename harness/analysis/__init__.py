"""Statistics of scores against ground truth; imports no torch."""
