"""Shows that every property can fail, and fails alone: the control matrix, on the embedded truth.

Each broken surrogate must trip what it declares to fire, on every window, and nothing but that and
what it implies.  `stranger`, perfect but decorrelated, may trip step1_vrmse only.  Arguments are
passed on to pytest, e.g. --trajectories 1.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from harness.results import Run  # noqa: E402
from harness.summary import name  # noqa: E402
from harness.surrogates.controls import CONTROLS  # noqa: E402

#: The ten properties that a control must be able to break.
PROPERTIES = {
    "step1_vrmse", "bounded_rollout", "perpendicular_isotropy", "div_b_ratio", "spectral_slope",
    "fp64_invariance", "liveness", "mass", "magnetic_flux", "positivity",
}  # fmt: skip


def run(arguments: list[str]) -> Run:
    """Judge all controls and `stranger` without baselines."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pytest", "suites/", "-q", "-n", "2", "--no-baselines",
            "--model", "control:*,stranger", "--reports", folder, *arguments,
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        try:
            return Run.load(Path(folder) / "latest")
        except OSError:
            sys.exit(f"{' '.join(command)} left no results:\n{done.stdout}\n{done.stderr}")


def main() -> None:
    """Print one line per control; exit 1 if any fires too little or too much."""
    found = run(sys.argv[1:])
    tripped: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    windows: dict[str, set[str]] = defaultdict(set)
    errors = [t.nodeid for t in found.tests if t.outcome in ("error", "missing")]
    for test in found.tests:
        if test.simulation is None:
            continue
        window = f"{test.simulation}-w{test.window}"
        windows[test.model].add(window)
        if test.outcome == "violated":
            tripped[test.model][name(test)].add(window)
    wrong = list(errors)
    fired: set[str] = set()
    for control, declared in CONTROLS.items():
        label = f"control-{control}"
        seen = {p: w for p, w in tripped[label].items() if w}
        silent = [p for p in declared.fires if seen.get(p, set()) != windows[label]]
        extra = sorted(set(seen) - declared.fires - declared.implies)
        fired |= {p.partition("[")[0] for p in declared.fires}
        wrong += [f"{control} does not trip {p} everywhere" for p in silent]
        wrong += [f"{control} also trips {p} on {sorted(seen[p])}" for p in extra]
        implied = sorted(set(seen) & declared.implies)
        also = f"; implied: {', '.join(implied)}" if implied else ""
        verdict = "FAIL" if silent or extra else "ok  "
        print(f"{verdict} {control}: {', '.join(sorted(declared.fires))}{also}")
    wrong += [f"no control can break {p}" for p in sorted(PROPERTIES - fired)]
    alarms = sorted(set(tripped["stranger"]) - {"step1_vrmse"})
    judged = sum(t.model == "stranger" and t.verdict is not None for t in found.tests)
    print(f"{'FAIL' if alarms else 'ok  '} stranger: {len(alarms)} false alarms in {judged} verdicts")
    wrong += [f"stranger trips {p}" for p in alarms]
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
