"""TEMPORARY."""
import numpy as np
from typing import NamedTuple
class Rate(NamedTuple):
    rate: float
    error: float
    channel: int
def growth_rate(variance):
    finite = np.isfinite(variance).all(1)
    n = int(finite.argmin()) if not finite.all() else len(variance)
    v = variance[:n]
    c = int(np.argmax(v[-1] / v[0]))
    y = np.log(v[-10:, c]); x = np.arange(len(y))
    (s, _), cov = np.polyfit(x, y, 1, cov=True)
    return Rate(s / 2, float(np.sqrt(cov[0, 0]) / 2), c)
def onset(variance):
    r = variance / variance[0] > 10
    return [int(c.argmax()) if c.any() else None for c in r.T]
def basin(variance):
    r = variance[-1] / variance[0] > 10
    return {(0,0):"none",(1,0):"y",(0,1):"z",(1,1):"both"}[int(r[2]),int(r[3])]
