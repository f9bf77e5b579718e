"""Diagnostics: numbers measured on frames (`measure`) and derived from them (all other modules).

- A derived function reduces one trajectory, never several.  It takes and returns float64 numpy
  arrays with the axis `step` first; `series` and `increments.smoothed` take a record's named arrays.
- Non-finite values are results.  Nothing here averages, fills or skips a NaN: a statistic of a
  non-finite frame is non-finite, and so is every figure derived from it.
"""
