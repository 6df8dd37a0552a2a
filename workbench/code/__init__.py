"""User code as a value: what it reaches, its version, how it travels and loads."""
