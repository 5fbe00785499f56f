"""Sources of data, splits, the order of examples, and transforms."""
