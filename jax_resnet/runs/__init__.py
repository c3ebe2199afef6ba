"""The files of runs, of results and of weights: this room alone knows them. It needs no JAX."""
