"""PyTorch modules and functions; this package knows neither spaCy nor Thinc."""
