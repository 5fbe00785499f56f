"""Data sets that `hpcdl data fetch` downloads: what there is, and whether it is all there."""
