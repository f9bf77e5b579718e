"""Checks of CI files that need no CI: keys, steps, expressions and shell syntax."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from typing import Any

WORKFLOW = {"name", "on", "permissions", "env", "defaults", "concurrency", "jobs", "run-name"}
JOB = {
    "name", "runs-on", "needs", "if", "permissions", "env", "steps", "timeout-minutes", "strategy",
    "container", "services", "outputs", "defaults", "concurrency", "continue-on-error",
}  # fmt: skip
STEP = {
    "name", "id", "if", "uses", "run", "with", "env", "shell", "working-directory",
    "continue-on-error", "timeout-minutes",
}  # fmt: skip
CONTEXTS = {"github", "env", "inputs", "secrets", "steps", "runner", "matrix", "job", "vars"}
FUNCTIONS = {"always", "success", "failure", "cancelled", "hashFiles", "contains", "format"}
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[\w.-]+")

#: The actions of the example and those of their inputs that it may use, as the `action.yml` of
#: these versions have them; each runs on Node 24.
INPUTS = {
    "actions/checkout@v7": {"ref", "fetch-depth", "lfs"},
    "actions/setup-python@v7": {"python-version", "cache", "cache-dependency-path"},
    "actions/cache@v5": {"path", "key", "restore-keys"},
    "actions/upload-artifact@v7": {"name", "path", "retention-days", "if-no-files-found"},
    "dorny/test-reporter@v3": {
        "name", "path", "reporter", "list-suites", "list-tests", "fail-on-error", "use-actions-summary",
    },
    "mikepenz/action-junit-report@v6": {
        "report_paths", "check_name", "annotate_only", "job_summary", "fail_on_failure",
    },
}  # fmt: skip

GITLAB_JOB = {
    "image", "timeout", "rules", "variables", "cache", "before_script", "script", "after_script",
    "artifacts", "stage", "tags", "needs", "retry",
}  # fmt: skip


def faults(workflow: Mapping[Any, Any]) -> list[str]:
    """What is wrong with a GitHub workflow as PyYAML reads it (which takes `on` for true)."""
    top = {"on" if key is True else key: value for key, value in workflow.items()}
    found = [f"unknown key {key}" for key in top.keys() - WORKFLOW]
    found += [f"lacks {key}" for key in ("on", "jobs") if not top.get(key)]
    for name, job in top.get("jobs", {}).items():
        found += [f"{name}: unknown key {key}" for key in job.keys() - JOB]
        found += [f"{name}: lacks {key}" for key in ("runs-on", "steps") if not job.get(key)]
        for number, step in enumerate(job.get("steps", ()), 1):
            found += [f"{name}, step {number}: {fault}" for fault in _step_faults(step)]
    return found


def _step_faults(step: Mapping[str, Any]) -> list[str]:
    found = [f"unknown key {key}" for key in step.keys() - STEP]
    if ("uses" in step) == ("run" in step):
        found.append("needs either uses or run")
    if "with" in step and "uses" not in step:
        found.append("with belongs to uses")
    if "uses" in step and not PINNED.fullmatch(step["uses"]):
        found.append(f"{step['uses']} is not owner/name@version")
    elif "uses" in step:
        known = INPUTS.get(step["uses"], set())
        found += [f"{step['uses']} has no input {name}" for name in step.get("with", {}).keys() - known]
    if "run" in step:
        found += shell_faults(step["run"])
        if "${{" in step["run"]:
            found.append("an expression inside a script can be injected into: pass it by env")
    for text in [str(step.get("if", "")), *map(str, step.get("with", {}).values())]:
        for expression in re.findall(r"\$\{\{(.*?)\}\}", text):
            words = re.findall(r"(?<![\w.'-])([A-Za-z_]\w*)", expression)
            found += [f"unknown {w} in {expression}" for w in words if w not in CONTEXTS | FUNCTIONS]
    return found


def gitlab_faults(pipeline: Mapping[str, Any]) -> list[str]:
    """What is wrong with a GitLab pipeline."""
    found = []
    for name, job in pipeline.items():
        found += [f"{name}: unknown key {key}" for key in job.keys() - GITLAB_JOB]
        if not job.get("script"):
            found.append(f"{name}: lacks script")
        for part in ("before_script", "script", "after_script"):
            for line in job.get(part, ()):
                found += shell_faults(line)
    return found


def shell_faults(script: str) -> list[str]:
    """What bash says about a script without running it."""
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    return [done.stderr.strip()] if done.returncode else []
