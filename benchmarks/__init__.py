"""Speed of the harness, against bare transforms and plain implementations."""
