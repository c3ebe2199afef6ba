"""Configs: a file with fields changed on a command line, what each field may be, and what makes two runs the same."""
