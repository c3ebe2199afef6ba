"""A network of one kernel a layer and direction, for NVIDIA GPUs: an option, never timed on one.

`network.Fused` runs a network so; `layers` has the kernels and `tiles` what they read and write.
"""
