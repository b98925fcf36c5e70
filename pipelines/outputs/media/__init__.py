"""What a clip is: whole or not, how long, how large, and whether it is what was ordered."""
