"""Diagnostics: numbers measured on frames (`measure`) and derived from them (all other modules).

Conventions shared by all of them:

- A derived function takes float64 numpy arrays with the axis `step` first and returns the same;
  it reduces one trajectory, never several.
- Non-finite values are results.  Nothing here averages, fills or skips a NaN: a statistic of a
  non-finite frame is non-finite, and so is every figure derived from it.
"""
