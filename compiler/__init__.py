"""From a model file to an artifact: import, the pipeline's order, export, and the command line."""
