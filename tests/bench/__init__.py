"""Benchmarks: how fast zcbench is, beside the tools that people use today. Run with ``tox -e bench``.

Nothing here fails because a machine is slow: times are printed, values are asserted. See docs/speed.md.
"""
