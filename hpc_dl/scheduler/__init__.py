"""Schedulers: who runs jobs, one folder each."""
