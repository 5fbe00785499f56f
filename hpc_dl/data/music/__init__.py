"""Music as piano rolls: for each frame the pitches that sound in it."""
