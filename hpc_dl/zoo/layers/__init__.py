"""Layers that several architectures are built of."""
