"""A linear-chain CRF over BILUO tags; knows neither spaCy nor Thinc."""
