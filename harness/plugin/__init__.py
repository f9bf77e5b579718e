"""The pytest plugin, one module per concern.

options: the command line.  gpus: one for each worker.  session: what one run knows.
collection: cases, order, expected failures.  fixtures: record, ensemble, judge, note.
outcomes: from a test's phases to its result.  reporting: the report folder.
updating: baselines, on purpose.  terminal: the physics summary.  progress: of long work.
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
