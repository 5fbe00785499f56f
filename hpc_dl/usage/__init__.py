"""What a run uses, beside what it asked for: measured in each rank, added up, and reported."""
