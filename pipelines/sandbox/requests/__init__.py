"""What a request may hold: fields, the rules between them, pictures, forms."""
