"""The OpenAI Videos contract, in all its dialects."""
