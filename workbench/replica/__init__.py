"""One process that runs user code and answers calls."""
