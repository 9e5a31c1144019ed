"""The dispatch level: fusion, grouping into kernels, buffers."""
