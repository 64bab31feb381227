"""The manifests name sources that the benchmark knows."""

from zcbench.datasets.manifest import official_files
from zcbench.datasets.registry import benchmarks


def test_every_benchmark_has_a_manifest_of_its_sources() -> None:
    for name, benchmark in benchmarks().items():
        files = official_files(name)
        assert files
        for file in files:
            assert file.source in benchmark.default_sources
            assert file.origin.startswith("https://")
            assert not file.convert or file.convert.startswith(f"zcbench data convert {name} {file.name} --out ")


def test_a_benchmark_without_manifest_lists_nothing() -> None:
    assert official_files("another") == ()
