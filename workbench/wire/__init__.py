"""The protocol between our processes: messages, their bytes, and channels.

`messages` says what can be said, `framing` turns it into bytes and back without any
I/O, `channel` carries it over Unix sockets and TCP, and `handshake` proves to both
ends that the other one knows the instance's secret before anything is believed.
"""
