"""Preparation of a run before its job is sent: the checked copy of the code, and the records."""
