"""The nouns that every room shares, and the words for them."""
