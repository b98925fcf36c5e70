"""One run of a campaign: opened, worked through, and what it comes to."""
