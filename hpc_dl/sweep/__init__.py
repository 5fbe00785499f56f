"""Sweeps: many trainings of one job spec, as jobs that each take the next trial.

No process runs for the sweep as a whole. Its folder is what the jobs share: the trials, who has
taken which, and the results. Every trial has a run folder of its own.
"""
