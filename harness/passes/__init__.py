"""Shared passes: what metrics may ask for, which passes that takes, and how they are run."""
