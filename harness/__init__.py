"""Measure and analyse: metrics, shared passes, the runner, the store, statistics and the CLI."""
