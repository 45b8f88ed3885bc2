"""Networks on a GPU: fixed shapes, recorded passes, kernels of our own, overlapping copies."""
