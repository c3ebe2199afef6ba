"""Several processes that train one run: they join, share examples and arrays, and notice a missing one."""
