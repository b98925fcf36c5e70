"""What was bought: the bill, its prices, and where a purchase stands."""
