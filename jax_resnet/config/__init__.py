"""Configs: loads config files, applies changes from the command line, checks fields, and compares runs."""
