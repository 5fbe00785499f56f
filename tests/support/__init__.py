"""What tests share: runs, ranks, stores, a private Slurm, and the markers."""
