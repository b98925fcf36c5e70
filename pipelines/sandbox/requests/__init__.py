"""Fields of an order, the rules between them, pictures, forms."""
