"""TEMPORARY."""
def smoothed(increment):
    return increment.rolling(step=5, min_periods=1).mean()
