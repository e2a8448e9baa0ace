"""Harmonia from Python: run scenarios and sweeps, load their results, call the golden number formats.

    import harmonia
    result = harmonia.run("default", {"weights": "kmeans2"})
    result["latency"]["time_per_output_token_s"]["mean"]
    table = harmonia.sweep("default", grid={"weights": ["kmeans4", "kmeans1"], "workload.batch": [1, 4]})
    table.frame()                                  # with pandas

The program is the one in $HARMONIA, beside an installed package, in the source tree's build/, or in PATH; everything is computed by it. Pure
Python and its standard library; pandas only for frame().
"""
from .golden import Golden, GoldenError
from .program import HarmoniaError, program
from .results import Result, Table, load
from .runs import bounds, run, sweep

__all__ = ["Golden", "GoldenError", "HarmoniaError", "Result", "Table", "bounds", "load", "program", "run", "sweep"]
