"""Piano rolls as sound and as MIDI."""
