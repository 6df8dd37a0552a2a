"""The door for outside traffic: HTTP in, calls out."""
