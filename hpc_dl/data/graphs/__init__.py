"""Graphs: examples that are nodes of one graph, or graphs."""
