"""Transforms of batches and of examples."""
