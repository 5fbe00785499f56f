"""Malformed and unusual data, a table of cases for each reader."""
