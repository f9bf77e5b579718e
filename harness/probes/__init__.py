"""Experiments on a surrogate beyond its rollout: varied inputs, symmetries, the growth of errors.

Pure physics on tensors: a probe gets the history map, `advance(history, step) -> frame`, and knows
neither files nor tests.
"""
