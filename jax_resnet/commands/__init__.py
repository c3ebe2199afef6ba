"""The commands: each module has the options of a command, and calls what does its work."""
