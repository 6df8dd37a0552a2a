"""IPython magics and what they show."""
