"""Answers by method and status, as Prometheus is told of them. Pure."""

from collections.abc import Mapping

from workbench.observe.exposition import Family

__all__ = ["answer_families"]

_OK = "OK"


def answer_families(
    answers: Mapping[tuple[str, str, str], int], routes: Mapping[str, str]
) -> list[Family]:
    """By Ray Serve's names; `answers` count (application, method, status).

    Methods of gRPC are paths; all others are HTTP's.
    """
    families: dict[tuple[str, str], Family] = {}
    for protocol, text in (("http", "HTTP"), ("grpc", "gRPC")):
        name = f"serve_num_{protocol}_requests"
        families[protocol, ""] = Family(name, "counter", f"{text} requests answered.")
        name = f"serve_num_{protocol}_error_requests"
        families[protocol, "error"] = Family(
            name, "counter", f"{text} requests answered with an error."
        )
    for (app, method, status), count in answers.items():
        labels = {"application": app, "method": method}
        protocol = "grpc" if method.startswith("/") else "http"
        if protocol == "http":
            labels["route"] = routes.get(app, "")
        families[protocol, ""].add({**labels, "status_code": status}, count)
        if status != _OK and (protocol == "grpc" or status >= "400"):
            families[protocol, "error"].add({**labels, "error_code": status}, count)
    return list(families.values())
