"""Whether the shipped recipes reach on real data what is expected of them."""
