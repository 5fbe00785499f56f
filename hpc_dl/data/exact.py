"""Whole numbers that floats hold exactly. Light."""

MOST_INTEGER = 2**53
"""Up to here float64 has every integer."""
