"""Training with one kernel for each layer and direction, for NVIDIA GPUs. An option that was never timed on a GPU.

`network.Fused` runs a network. `trunk` runs its units, `layers` has the kernels, and `tiles` what they read and write.
"""
