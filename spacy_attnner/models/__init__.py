"""Thinc models: the registered architectures and their bridge to PyTorch."""
