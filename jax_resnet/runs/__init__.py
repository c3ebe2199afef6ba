"""The files of runs, of results and of weights: no other room reads or writes them. It needs no JAX."""
