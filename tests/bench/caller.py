"""Calls one URL all the while, and says which version answered first when.

Started by `redeploy` in a process of its own, so that nothing but the served
application can delay it. Each answer is a JSON object with a `version`.
"""

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit

CALLERS = 2
# Between two calls of one caller: a thousand calls a second leave the cores to others.
PAUSE_S = 0.002


class Caller:
    """One connection, kept alive, and what was seen on it."""

    def __init__(self, address, done):
        self.address = address
        self.done = done
        self.first_seen_s = {}
        self.calls = 0
        self.failures = []

    def run(self):
        """Call until told to stop."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        while not self.done.wait(PAUSE_S):
            self.calls += 1
            try:
                connection.request("GET", "/")
                reply = connection.getresponse()
                body = reply.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            if reply.status == 200:
                version = json.loads(body)["version"]
                self.first_seen_s.setdefault(version, time.monotonic())
            else:
                self.failures.append(f"{reply.status} {body[:200]!r}")


def main():
    """Call until the input closes, then say what was seen."""
    done = threading.Event()
    callers = [Caller(urlsplit(sys.argv[1]).netloc, done) for _ in range(CALLERS)]
    threads = [threading.Thread(target=caller.run) for caller in callers]
    for thread in threads:
        thread.start()
    print("READY", flush=True)
    sys.stdin.read()
    done.set()
    for thread in threads:
        thread.join()
    print(f"SEEN {json.dumps(summary(callers))}", flush=True)


def summary(callers):
    """What all callers saw together."""
    first: dict[int, float] = {}
    for caller in callers:
        for version, at_s in caller.first_seen_s.items():
            first[version] = min(at_s, first.get(version, at_s))
    failures = [failure for caller in callers for failure in caller.failures]
    return {
        "first_seen_s": first,
        "calls": sum(caller.calls for caller in callers),
        "failures": len(failures),
        "failure_examples": failures[:5],
    }


if __name__ == "__main__":
    main()
