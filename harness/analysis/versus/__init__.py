"""One metric, the candidate, against baselines: from score tables to differences, additions, twins and a verdict."""
