"""Runs beside each other: what differs in their specs, their test metrics and their curves.

All is read from run folders; neither a scheduler nor MLflow is asked, and nothing is written there.
"""
