"""A small part of ``benchmarks/interval_coverage.py``: lossbench's own networks on fresh samples."""

import numpy as np
import pytest

N_SAMPLES, N_SEEDS = 30, 10


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend("benchmarks")
    import interval_coverage

    return interval_coverage


@pytest.mark.slow
@pytest.mark.parametrize(("data", "metric"), [("friedman1", "rmse"), ("moons", "accuracy")])
def test_an_interval_holds_the_truth_of_the_population_that_it_names(benchmark, data, metric):
    base, candidate = (benchmark.kept(None, data, loss, N_SAMPLES, N_SEEDS) for loss in benchmark.LOSSES[data][:2])
    found = benchmark.outcomes(base, candidate, metric)

    def share(design, name):
        return np.mean([np.mean([getattr(outcome, name) for outcome in sample]) for sample in found[design]])

    # What so few samples may add: three standard errors.
    error = 3 * (0.05 * 0.95 / N_SAMPLES) ** 0.5
    for design in (benchmark.THESE, benchmark.NEW, benchmark.ANOTHER, benchmark.SAMPLES):
        assert share(design, "holds") >= 0.95 - error, design
        assert share(design, "false") <= 0.05 + error, design
    # The interval of one split is no interval of other samples.
    assert share(benchmark.STUDENT, "holds") < 0.9
