"""Which mode of a provider a row fits, and what the row buys in it."""
