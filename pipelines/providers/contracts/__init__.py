"""What is sent, and how answers are read, in each protocol. Pure."""
