"""Recordings: headers, decoding, resampling, and splits in memory or streamed."""
