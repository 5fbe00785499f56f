"""Train the shipped recipes on real data and compare their metrics with targets."""
