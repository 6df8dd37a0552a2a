"""Certificates of the gRPC server, read again when their files change."""

import ssl
from pathlib import Path

import grpc

from workbench.errors import StartError
from workbench.spec.grpc import GRPCOptions

__all__ = ["credentials"]


def credentials(options: GRPCOptions) -> grpc.ServerCredentials | None:
    """What the server shows and asks of clients; None for a server without TLS.

    Raises:
        StartError: a file cannot be read, or certificate and key do not fit.
    """
    if options.ssl_certfile is None or options.ssl_keyfile is None:
        return None
    files = _Files(options.ssl_certfile, options.ssl_keyfile, options.ssl_ca_certs)
    try:
        # gRPC itself would take what does not fit together, and fail each handshake.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            options.ssl_certfile, options.ssl_keyfile
        )
        first = files.read()
    except OSError as error:  # ssl.SSLError is one
        msg = f"TLS cannot be spoken with these files: {error}."
        hint = "ssl_certfile and ssl_keyfile are a certificate and its key in PEM."
        raise StartError(msg, hint) from None
    return grpc.dynamic_ssl_server_credentials(
        first,
        files.read_if_changed,
        require_client_authentication=options.ssl_ca_certs is not None,
    )


class _Files:
    """A certificate, its key, and the authorities for clients' certificates."""

    def __init__(self, certificate: str, key: str, authorities: str | None) -> None:
        self._certificate = Path(certificate)
        self._key = Path(key)
        self._authorities = None if authorities is None else Path(authorities)
        self._changed_ns: list[int] = []

    def read(self) -> grpc.ServerCertificateConfiguration:
        """What the files hold now."""
        self._changed_ns = self._times()
        pair = self._key.read_bytes(), self._certificate.read_bytes()
        roots = self._authorities
        return grpc.ssl_server_certificate_configuration(
            [pair], root_certificates=None if roots is None else roots.read_bytes()
        )

    def read_if_changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Asked by gRPC before each handshake; None lets it go on with what it has."""
        try:
            return None if self._times() == self._changed_ns else self.read()
        except OSError:  # being replaced just now
            return None

    def _times(self) -> list[int]:
        files = (self._certificate, self._key, self._authorities)
        return [each.stat().st_mtime_ns for each in files if each is not None]
