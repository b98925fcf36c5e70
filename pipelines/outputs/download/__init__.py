"""One clip comes home: link, part file, answer, publishing, and a look at it later."""
