"""Pictures: finding them in folders, decoding, caching and streaming them."""
