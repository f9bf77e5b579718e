"""What can be wrong between a user and Walrus, said so that it can be repaired."""


class WalrusError(ValueError):
    """Walrus cannot be had or cannot be run so; the message says how to mend it."""
