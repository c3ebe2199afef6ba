"""Data sets that are too large to decode at once. Their encoded pictures are read and decoded when they are needed."""
