"""Time series: their files, and the windows that are examples."""
