"""Text for people and from strangers: amounts, counts, excerpts, escaping, and strict YAML."""
