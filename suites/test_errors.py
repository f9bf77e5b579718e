"""One step: is the model better than no model?"""

import numpy as np

from harness.diagnostics.errors import CONVENTIONS, vrmse
from harness.jobs import rollout
from harness.properties import property_test

#: Persistence ties with itself, whichever way its last digit was rounded.
ROUNDING = 1e-9


@property_test(reads=[rollout()], control="control:step1-error")
def test_step1_vrmse(record, judge, note):
    """The first predicted frame is closer to the truth than the last input frame is.

    VRMSE at step 1 in the `seed` convention, against that of persistence on the same window.

    Sources: The Well, arXiv 2412.00568; Walrus, arXiv 2511.15684.
    """
    truth = record.truth.sel(step=1)
    cells = record.data.attrs["cells"]
    model, persistence = (
        {name: float(vrmse(mse.values, truth["variance"].values, cells, name)) for name in CONVENTIONS}
        for mse in (record.data["mse"].sel(step=1), np.square(truth["increment"]))
    )
    for name in CONVENTIONS:
        note[f"vrmse_{name}"] = model[name]
        note[f"persistence_{name}"] = persistence[name]
    judge(
        model["seed"],
        at_most=persistence["seed"] * (1 + ROUNDING),
        unit="VRMSE[seed] at step 1",
        basis="persistence",
        held=True,
    )
