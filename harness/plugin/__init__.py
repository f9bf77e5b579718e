"""The pytest plugin, one module per concern.

options: the command line.  gpus: one for each worker.  session: what one run knows.
collection: cases, order, expected failures.  fixtures: record, ensemble, judge, note.
finding: what a test case has found.  outcomes: from a test's phases to its result.
reporting: what a run has found, in its run_folder.  junit: junit.xml, in order.
updating: baselines, on purpose.  preflight: what a run would take.
terminal: the physics summary.  progress: of long work.  workers: of xdist.
"""

pytest_plugins = [
    "harness.plugin.options",
    "harness.plugin.gpus",
    "harness.plugin.session",
    "harness.plugin.collection",
    "harness.plugin.fixtures",
    "harness.plugin.outcomes",
    "harness.plugin.reporting",
    "harness.plugin.terminal",
    "harness.scheduler",
]
