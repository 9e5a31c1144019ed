"""A device that computes nothing and remembers everything it was asked."""

from .device import NullDevice

__all__ = ["NullDevice"]
