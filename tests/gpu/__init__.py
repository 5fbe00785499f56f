"""What only a machine with NVIDIA GPUs can show. `python -m tests.gpu_check` runs all of it."""
