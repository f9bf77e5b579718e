"""The CI files of docs/ci: well formed, and their commands gate a miniature benchmark."""

from __future__ import annotations

import copy
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from junitparser import JUnitXml

from harness.paths import ROOT
from tests import toy, workflow
from tests.conftest import Toy

CI = ROOT / "docs" / "ci"
GITHUB = yaml.safe_load((CI / "github-actions.yml").read_text())
GITLAB = yaml.safe_load((CI / "gitlab-ci.yml").read_text())
#: How GitHub and GitLab run a script.
CAREFUL = ("-e", "-o", "pipefail")
STEPS = GITHUB["jobs"]["gate"]["steps"]


def shell(bench: Toy, script: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script of an example on the toy, under the shell options of its system."""
    toys = [o for o in toy.arguments(bench.folder) if o not in ("--model", "toy.py:Shift")]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTEST_ADDOPTS": shlex.join(toys), "PYTHONPATH": str(ROOT), "COLUMNS": "200",
        "HARNESS_CACHE": str(bench.folder / "cache"), "MODEL": "toy.py:Shift",
        "AGAINST": "toy.Shift", "OMP_NUM_THREADS": "1",
    } | variables  # fmt: skip
    return subprocess.run(
        ["bash", *options, "-c", script], cwd=bench.folder, env=environment,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture
def recorded(toy_bench: Toy) -> Toy:
    toy_bench.model(0.7)
    assert toy_bench.pytest("--update-baselines") == 0, toy_bench.output
    toy_bench.model(0.9)
    return toy_bench


def test_the_github_workflow_is_well_formed() -> None:
    assert workflow.faults(GITHUB) == []
    assert GITHUB["permissions"]["checks"] == "write"
    after = [s for s in STEPS[STEPS.index(named("Gate")) + 1 :]]
    assert len(after) == 4
    assert all("cancelled()" in step["if"] for step in after), "a red gate must still report"


def named(name: str) -> dict:
    (step,) = (step for step in STEPS if step.get("name") == name)
    return step


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda step: step.update(runs="x"), "unknown key runs"),
        (lambda step: step.update(uses="a/b@v1"), "either uses or run"),
        (lambda step: step.update(run="if then"), "syntax error"),
        (lambda step: step.update({"if": "${{ sucess() }}"}), "unknown sucess"),
        (lambda step: step.update(run="echo ${{ github.head_ref }}"), "injected"),
        (lambda step: step.update(uses="actions/cache@v5", **{"with": {"pth": "x"}}), "no input pth"),
    ],
)
def test_the_check_of_workflows_finds_faults(change, fault: str) -> None:
    broken = copy.deepcopy(GITHUB)
    change(next(s for s in broken["jobs"]["gate"]["steps"] if s.get("name") == "Gate"))
    assert any(fault in found for found in workflow.faults(broken)), workflow.faults(broken)


def test_the_gitlab_pipeline_is_well_formed() -> None:
    assert workflow.gitlab_faults(GITLAB) == []
    artifacts = GITLAB["physics"]["artifacts"]
    assert artifacts["when"] == "always"
    assert artifacts["reports"]["junit"].startswith(artifacts["paths"][0])
    del (broken := copy.deepcopy(GITLAB))["physics"]["script"]
    assert workflow.gitlab_faults(broken) == ["physics: lacks script"]


@pytest.mark.parametrize("example", ["github-actions.yml", "gitlab-ci.yml"])
def test_what_is_installed_is_there(example: str) -> None:
    assert "pip install -c constraints.txt -e ." in (CI / example).read_text()
    assert (ROOT / "constraints.txt").is_file() and (ROOT / "pyproject.toml").is_file()


def test_the_github_commands_gate_and_report(recorded: Toy) -> None:
    summary = recorded.folder / "step-summary.md"
    gate = shell(recorded, named("Gate")["run"], *CAREFUL)
    assert gate.returncode == 1, gate.stdout + gate.stderr
    report = shell(recorded, named("Report")["run"], *CAREFUL, GITHUB_STEP_SUMMARY=str(summary))
    assert report.returncode == 0, report.stderr
    assert "**regression**" in summary.read_text()
    assert JUnitXml.fromfile(str(recorded.folder / named("Tests by property")["with"]["path"]))
    assert (recorded.folder / "report" / "report.html").is_file()
    assert not (recorded.folder / "report").is_symlink()


def test_the_gitlab_commands_gate_and_report(recorded: Toy) -> None:
    (gate,) = GITLAB["physics"]["script"]
    recorded.model(0.1)
    done = shell(recorded, gate, *CAREFUL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 repaired" in done.stdout
    assert shell(recorded, "\n".join(GITLAB["physics"]["after_script"])).returncode == 0
    assert (recorded.folder / "report" / "junit.xml").is_file()


def test_the_slurm_script_ends_with_the_code_of_the_gate(recorded: Toy) -> None:
    script = (CI / "slurm.sh").read_text()
    assert [line for line in script.splitlines() if line.startswith("#SBATCH --")]
    environment = {"PYTHON_ENV": str(Path(sys.executable).parent.parent), "SLURM_JOB_ID": "7"}
    done = shell(recorded, script, **environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "report: report-7/report.html" in done.stdout
    assert (recorded.folder / "report-7" / "junit.xml").is_file()
    refused = shell(recorded, script, AGAINST="nobody", **environment)
    assert refused.returncode == 4
