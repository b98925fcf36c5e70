"""The protocols: the requests that they send, and how their answers are read. Pure."""
