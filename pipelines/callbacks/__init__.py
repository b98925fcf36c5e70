"""The receiver of callbacks: whoever calls is let in by a token, believed nothing, and written down."""
