"""Data sets that are too large to be decoded at once: encoded pictures, read and decoded when their turn comes."""
