"""Frozen values that cross borders: what users declare, what runs, what is shown."""
