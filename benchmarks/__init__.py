"""How fast hpcdl trains, beside other loops that train the same: `python -m benchmarks`."""
