"""Training on the node: the loop, its checkpoints and its signals."""
