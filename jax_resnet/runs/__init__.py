"""The files of runs, of results and of weights: no other folder reads or writes them. It needs no JAX."""
