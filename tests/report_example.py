"""A made-up run folder with everything a report has to show, for tests and for looking at.

Two models over twelve windows: `growing` loses B_z exponentially, `fading` lets the velocity die.
Planted: a divergence, a regression, a new violation, a repaired failure, an error, tests that are
not applicable, recorded or missing, records that are absent, and names that are markup.

    python -m tests.report_example FOLDER [--hostile]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import harness.report
from harness.fields import MHD
from harness.judging import describe, expectation, judge, outcome
from harness.results import (
    Expectation,
    ModelEntry,
    Provenance,
    RecordEntry,
    Run,
    TestResult,
    Verdict,
)

STEPS = 50
SLICE_STEPS = (0, 1, 5, 10, 25, 50)
PLAIN = ("fno-mini", "conv-mini")
HOSTILE = ('<script>alert("model")</script>', "</script><!--<b>b</b> ${7*7} {{7*7}} `id`")
HOSTILE_SIMULATION = "<img src=x onerror=alert(1)>|**s5**"
MISSING = "suites/test_growth.py::test_liveness[{}:simulated/s5-w1]"


@dataclass(frozen=True)
class Planned:
    """One criterion of the example: its limit and, for each model, level, growth and channel."""

    suite: str
    property: str
    criterion: str
    statement: str
    unit: str
    limit: float
    basis: str
    fading: tuple[float, float, str | None]
    growing: tuple[float, float, str | None]


W = "W = 1.25 x largest difference among 636 truth frames of 6 simulations"
PLAN = (
    Planned("test_errors", "step1_vrmse", "",
        "The first predicted frame is closer to the truth than the last input frame is.",
        "VRMSE[seed] at step 1", 0.33, "persistence", (0.19, 0, None), (0.14, 0, None)),
    Planned("test_growth", "bounded_rollout", "",
        "The variance of every channel stays as near to the truth's as truth stays to truth.",
        "|d ln var|", 1.1, W, (0.1, 0.05, "v_y"), (0.06, 0.085, "B_z")),
    Planned("test_growth", "liveness", "",
        "Every channel keeps changing at the truth's pace: no channel freezes, none rattles.",
        "|ln l|", 0.69, f"max(ln 2, {W})", (0.2, 0.04, "v_x"), (0.15, 0.02, "rho")),
    Planned("test_isotropy", "perpendicular_isotropy", "",
        "The two magnetic components across the guide field keep comparable variances.",
        "|A_p - A_u|", 0.9, f"max(0.5, {W})", (0.1, 0.003, None), (0.05, 0.08, None)),
    Planned("test_magnetic", "div_b_ratio", "spectral",
        "Monopoles stay at the truth's own floor.",
        "D", 0.03, "max(1.5 D of the truth, 0.03)", (0.012, 0.012, None), (0.01, 0.09, None)),
    Planned("test_magnetic", "div_b_ratio", "stencil", "Monopoles stay at the truth's own floor.",
        "|d ln(div B / |B|)|", 0.6, W, (0.2, 0.012, None), (0.2, 0.05, None)),
    Planned("test_spectra", "spectral_slope", "slope",
        "The energy spectrum keeps its slope, its shape and an empty end.",
        "|d slope|", 1.4, W, (0.3, 0.05, "velocity"), (0.2, 0.01, "magnetic_field")),
    Planned("test_spectra", "spectral_slope", "shape",
        "The energy spectrum keeps its slope, its shape and an empty end.",
        "max |ln E_p/E_u|", 2.5, W, (0.4, 0.06, "velocity"), (0.3, 0.03, "magnetic_field")),
    Planned("test_spectra", "spectral_slope", "pileup",
        "The energy spectrum keeps its slope, its shape and an empty end.",
        "|d ln pile-up|", 1.9, W, (0.2, 0.01, "density"), (0.2, 0.012, "density")),
    Planned("test_precision", "fp64_invariance", "audit",
        "What the model does is decided by its weights, not by rounding.",
        "operators below float64", 0, "exact", (0, 0, None), (0, 0, None)),
    Planned("test_precision", "fp64_invariance", "start",
        "What the model does is decided by its weights, not by rounding.",
        "delta(1)", 1e-5, "rounding of one step", (3e-7, 0, None), (4e-7, 0, None)),
    Planned("test_precision", "fp64_invariance", "outcome",
        "What the model does is decided by its weights, not by rounding.",
        "|d lambda|", 0.01, "max(0.01, 3 standard errors)", (2e-3, 0, None), (3e-3, 0, None)),
    Planned("test_conservation", "mass", "", "Mass is conserved in a periodic box.",
        "|d mean rho|", 2e-4, "exact invariant", (4e-3, 0.02, None), (5e-5, 0.01, None)),
    Planned("test_conservation", "magnetic_flux", "",
        "Each component of the mean magnetic field is conserved in a periodic box.",
        "|d mean B|", 1e-3, "exact invariant", (2e-4, 0.01, "B_x"), (2e-4, 0.05, "B_z")),
    Planned("test_conservation", "positivity", "", "Density stays positive wherever the truth's is.",
        "cells with rho < 0", 0, "truth", (0, 0, None), (0, 0, None)),
)  # fmt: skip


def build_example(
    folder: Path,
    *,
    hostile: bool = False,
    simulations: int = 6,
    cells: int = 24,
    complete: bool = False,
    criteria: int = len(PLAN),
) -> Run:
    """Write results.json and records/ into `folder`; the report is not built.

    complete: no record is absent.  criteria: how many; beyond those of PLAN they repeat these.
    """
    plan = [
        replace(
            PLAN[i % len(PLAN)], property=PLAN[i % len(PLAN)].property + "_again" * (i // len(PLAN))
        )
        for i in range(criteria)
    ]
    fading, growing = HOSTILE if hostile else PLAIN
    names = [f"s{i}" for i in range(simulations)]
    if hostile:
        names[-1] = HOSTILE_SIMULATION
    (folder / "records").mkdir(parents=True, exist_ok=True)
    tests, records = [], []
    for model, kind in ((fading, "fading"), (growing, "growing")):
        for number, name in enumerate(names):
            for window in (0, 1):
                seed = np.random.default_rng([len(kind), number, window])
                diverged = 41 if kind == "growing" and (number, window) == (3, 1) else None
                key = f"{kind}-{number}-{window}"
                tests += [
                    _test(planned, kind, model, name, window, diverged, key, seed) for planned in plan
                ]
                records.append(_entry(key, model, name, window, diverged))
                if complete or (number + window) % 3 == 0:
                    _record(kind, cells, diverged, seed).to_netcdf(
                        folder / records[-1].file, engine="netcdf4"
                    )
        tests.append(_population(model))
    lost = MISSING.format(growing)
    lone = [t for t in tests if t.nodeid != lost]
    run = Run(
        name="20260214-101112",
        started="2026-02-14T10:11:12+00:00",
        seconds=171.3,
        exit_status=1,
        provenance=Provenance(
            command=("pytest", "suites/", "--model", f"{fading},{growing}", "-n", "2"),
            git_commit="8c1f0e2a9b7d4c3e5f60718293a4b5c6d7e8f901",
            git_dirty=True,
            versions={"python": "3.11.7", "torch": "2.13.0", "numpy": "2.4.6", "xarray": "2026.9.0"},
            platform="Linux-6.1-x86_64",
            device="cpu",
            precision="fp32",
            flags={"tf32": "False", "matmul_precision": "highest", "threads": "1"},
            draws="seeded",
            data={"simulated": "sha256:" + "4be1" * 8},
            workers=2,
        ),
        models=(
            ModelEntry(name=fading, fingerprint="11aa" * 16, n_history=3, parameters=412_000,
                       description="Fourier neural operator"),
            ModelEntry(name=growing, fingerprint="22bb" * 16, n_history=1, parameters=251_000,
                       description="convolutional network"),
        ),
        protocols=("simulated",),
        tests=tuple(_planted(lone, growing)),
        records=tuple(records),
        notes=("baselines of another protocol were not applied",),
        missing=(lost,),
    )  # fmt: skip
    run.save(folder)
    return run


def without_figures(run: Run, model: str) -> Run:
    """The run as it were if `model` were not finite from its first step on."""
    tests = []
    for test in run.tests:
        if test.model == model and test.verdict is not None:
            verdict = test.verdict.model_copy(update={
                "figure": math.inf, "margin": math.inf, "diverged_at": 1,
                "step": test.verdict.steps[0] if test.verdict.steps else None,
                "curve": (math.inf,) * len(test.verdict.curve)})  # fmt: skip
            test = test.model_copy(update={"verdict": verdict, "outcome": "violated", "values": {}})
        tests.append(test)
    return run.model_copy(update={"tests": tuple(tests)})


def _test(
    planned: Planned, kind: str, model: str, simulation: str, window: int,
    diverged: int | None, key: str, seed: np.random.Generator,
) -> TestResult:  # fmt: skip
    level, growth, channel = planned.fading if kind == "fading" else planned.growing
    scalar = growth == 0
    verdict = judge(
        _figure(level, growth, scalar, channel, seed),
        planned.limit * (1 + 0.03 * seed.random() * (planned.limit > 0)),
        planned.unit,
        planned.basis,
        None if scalar else diverged,
    )
    name = planned.property + (f"[{planned.criterion}]" if planned.criterion else "")
    entry = None
    if verdict.margin is not None and verdict.margin > 1:
        entry = expectation(_shifted(verdict, 0.99), "measured")
    place = f"{model}:simulated/{simulation}-w{window}"
    case = f"{place}:{planned.criterion}" if planned.criterion else place
    return TestResult(
        nodeid=f"suites/{planned.suite}.py::test_{planned.property}[{case}]",
        suite=planned.suite,
        property=planned.property,
        criterion=planned.criterion,
        statement=planned.statement,
        model=model,
        protocol="simulated",
        simulation=simulation,
        window=window,
        outcome=outcome(verdict, entry),
        message=describe(name, verdict, entry),
        verdict=verdict,
        values=_values(planned, kind, seed),
        baseline=entry,
        records=(key,),
        seconds=0.02,
    )


def _figure(
    level: float, growth: float, scalar: bool, channel: str | None, seed: np.random.Generator
) -> xr.DataArray | float:
    level *= float(np.exp(0.2 * seed.standard_normal()))
    if scalar:
        return level
    step = np.arange(STEPS + 1)
    rate = growth * (0.8 + 0.4 * seed.random())
    wobble = 1 + 0.1 * np.cumsum(seed.standard_normal(STEPS + 1)) / 5
    curve = level * np.exp(rate * step) * np.abs(wobble)
    data = xr.DataArray(curve, dims="step", coords={"step": step})
    return data if channel is None else data.expand_dims(channel=[channel])


def _values(planned: Planned, kind: str, seed: np.random.Generator) -> dict[str, float | str | None]:
    if planned.property == "step1_vrmse":
        return {"vrmse_well": 0.15, "persistence_well": 0.34}
    if planned.property == "perpendicular_isotropy":
        return {"basin": "z" if kind == "growing" else "none"}
    if planned.criterion == "stencil":
        return {"last_over_truth": (12.0 if kind == "growing" else 1.5) + float(seed.random())}
    if planned.property != "bounded_rollout":
        return {}
    if kind == "fading":
        return {"lambda": -0.03, "lambda_error": 0.004, "lambda_channel": "B_y",
                "onset_B_y": None, "onset_B_z": None}  # fmt: skip
    return {"lambda": 0.1 + 0.02 * float(seed.random()), "lambda_error": 0.003,
            "lambda_channel": "B_z", "onset_B_y": None,
            "onset_B_z": float(seed.integers(12, 18))}  # fmt: skip


def _shifted(verdict: Verdict, factor: float) -> Verdict:
    return verdict.model_copy(update={"figure": verdict.figure * factor})


def _population(model: str) -> TestResult:
    return TestResult(
        nodeid=f"suites/test_windows.py::test_window_dependence[{model}:simulated]",
        suite="test_windows",
        property="window_dependence",
        statement="What a model does on a simulation does not depend on where its window starts.",
        model=model,
        protocol="simulated",
        outcome="recorded",
        message="6 simulations: values and range, no verdict",
        values={"n": 6.0, "median": 0.42, "lowest": 0.37, "highest": 0.55, "coverage": 0.96875},
    )


def _planted(tests: Sequence[TestResult], growing: str) -> list[TestResult]:
    """Replace a few results of the growing model by the rarer outcomes."""
    found = []
    for test in tests:
        place = (test.property, test.criterion, test.simulation, test.window)
        if test.model == growing and place == ("div_b_ratio", "spectral", "s1", 0):
            assert test.verdict is not None
            entry = expectation(_shifted(test.verdict, 0.6), "measured")
            test = _changed(test, "regression", entry)
        elif test.model == growing and place == ("div_b_ratio", "stencil", "s2", 0):
            test = _changed(test, "violated", None)
        elif test.model == growing and place == ("mass", "", "s0", 0):
            entry = Expectation(verdict="violated", figure=4e-4, limit=2e-4, tolerance=2e-5)
            test = _changed(test, "repaired", entry)
        elif test.criterion == "audit" and test.model != growing:
            test = test.model_copy(update={
                "outcome": "not-applicable", "verdict": None, "baseline": None,
                "message": "not applicable: the model has no dtype"})  # fmt: skip
        elif test.model == growing and place == ("positivity", "", "s4", 1):
            test = test.model_copy(update={
                "outcome": "error", "verdict": None,
                "message": "RolloutError: out of GPU memory on cuda:0"})  # fmt: skip
        elif test.model == growing and place == ("perpendicular_isotropy", "", "s2", 1):
            test = _changed(test, "unrecorded", Expectation(verdict="unrecorded", source="study"))
        found.append(test)
    return found


def _changed(test: TestResult, name: str, entry: Expectation | None) -> TestResult:
    assert test.verdict is not None
    title = f"{test.property}[{test.criterion}]" if test.criterion else test.property
    return test.model_copy(update={
        "outcome": name, "baseline": entry, "message": describe(title, test.verdict, entry)
    })  # fmt: skip


def _entry(key: str, model: str, simulation: str, window: int, diverged: int | None) -> RecordEntry:
    return RecordEntry(
        key=key,
        file=f"records/{key}.nc",
        kind="rollout",
        model=model,
        protocol="simulated",
        simulation=simulation,
        window=window,
        precision="fp32",
        draw=0,
        diverged_at=diverged,
        diverged_in="B_z" if diverged else None,
        seconds=3.1,
    )


def _record(kind: str, cells: int, diverged: int | None, seed: np.random.Generator) -> xr.Dataset:
    """A record as a rollout writes it, with variances, spectra, monopoles and slices."""
    channels = list(MHD.channels)
    step = np.arange(STEPS + 1)
    truth = np.array([0.06, 0.055, 0.09, 0.09, 0.25, 0.2, 0.2])
    truth = truth * np.exp(0.1 * np.cumsum(seed.standard_normal((STEPS + 1, 7)), 0) / 4)
    factor = np.ones((STEPS + 1, 7))
    if kind == "growing":
        factor[:, 3] = 1 + 1e-3 * np.exp(0.24 * step)
        factor[:, 2] = 1 + 1e-3 * np.exp(0.1 * step)
    else:
        factor[:, 4:] = np.exp(-0.035 * step)[:, None]
    variance = np.stack([truth, truth * factor])
    k = np.arange(cells // 2 + 2)
    shape = np.where(k > 0, np.maximum(k, 1) ** -3.0, 0.0)
    spectrum = variance[..., None] * (shape / shape.sum())
    if kind == "fading":
        spectrum[1] *= np.exp(-0.006 * step[:, None, None] * k)
    stencil = np.stack([np.full(STEPS + 1, 0.02), 0.02 * np.exp(0.05 * step)])
    planes = np.stack([
        _planes(np.random.default_rng(7), cells, variance[side][list(SLICE_STEPS)]) for side in (0, 1)
    ])  # fmt: skip
    if diverged is not None:
        for array in (variance[1], spectrum[1], stencil[1]):
            array[diverged:] = np.nan
    keep = sum(s < (diverged or STEPS + 1) for s in SLICE_STEPS)
    return xr.Dataset(
        {
            "variance": (("side", "step", "channel"), variance),
            "spectrum": (("side", "step", "channel", "k_perp"), spectrum),
            "div_b_stencil": (("side", "step"), stencil),
            "slice": (("side", "slice_step", "channel", "y", "z"), planes[:, :keep]),
        },
        coords={
            "side": ["truth", "prediction"],
            "step": step,
            "channel": channels,
            "field": ("channel", ["density", *3 * ["magnetic_field"], *3 * ["velocity"]]),
            "k_perp": k,
            "slice_step": list(SLICE_STEPS[:keep]),
        },
        attrs={
            "diverged_at": diverged or -1,
            "diverged_in": "B_z" if diverged else "",
            "guide": "[1.0, 0.0, 0.0]",
        },
    )


def _planes(
    seed: np.random.Generator, cells: int, variance: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Smooth random planes with the given variances, (step, channel, y, z), turning slowly."""
    k = np.fft.fftfreq(cells) * cells
    radius = np.hypot(*np.meshgrid(k, k, indexing="ij"))
    envelope = np.where(radius > 0, np.maximum(radius, 1) ** -2.0, 0)
    noise = np.fft.fft2(seed.standard_normal((7, cells, cells))) * envelope
    planes = []
    for number, row in enumerate(variance):
        turned = np.fft.ifft2(noise * np.exp(0.3j * number * np.sign(k)[:, None])).real
        turned /= turned.std((1, 2), keepdims=True)
        planes.append(turned * np.sqrt(row)[:, None, None])
    return np.asarray(planes, dtype=np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hostile", action="store_true")
    arguments = parser.parse_args()
    build_example(arguments.folder, hostile=arguments.hostile)
    print(harness.report.build(arguments.folder))
