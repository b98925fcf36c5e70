"""Ten vendors that host models of their own or of others, each with a contract of its own, as their public pages have it."""
