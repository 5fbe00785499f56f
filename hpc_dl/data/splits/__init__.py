"""Splits: which examples are for validation and test, and how many of each class. Light."""
