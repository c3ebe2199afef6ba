"""Deep residual networks in JAX: the experiments of He et al. 2015 and 2016, to read, run and import."""
