"""Results that people share: one JSON file for each metric, version and benchmark, read, merged and compared."""
