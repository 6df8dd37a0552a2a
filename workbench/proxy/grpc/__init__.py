"""The proxy's gRPC side; imported only by proxies that were told to speak it."""
