"""A physics benchmark for autoregressive neural surrogates of partial differential equations."""

__version__ = "0.1.0"
