"""The contracts, each as its vendor speaks it."""
