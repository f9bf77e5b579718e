"""TEMPORARY."""
import numpy as np
CONVENTIONS = ("seed", "well", "joint")
def vrmse(mse, variance, cells, convention):
    if convention == "seed":
        return np.sqrt(mse / (variance + 1e-12)).mean(-1)
    if convention == "well":
        return np.sqrt(mse / (variance * cells / (cells - 1) + 1e-7)).mean(-1)
    return np.sqrt(mse.sum(-1) / variance.sum(-1))
