"""Modules put in front of others in the processes of an embedded Ray."""
