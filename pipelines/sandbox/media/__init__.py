"""The files that a purchase leads to, and the links to them."""
