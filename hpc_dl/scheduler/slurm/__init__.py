"""Slurm: what is submitted, what is asked, and how a job is started again."""
