"""How cost grows with the work: `python -m benchmarks.growth`.

Each line is measured in a process of its own, at sizes that grow by tens or twos, the smallest
first: as CPU time, which depends little on what else the machine does, and as the memory that is
held beyond that before.
"""
