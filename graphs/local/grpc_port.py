"""The port of the gRPC service, kept from other programs until Serve listens there."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from graphs.local.environment import DEFAULT_GRPC_PORT, StartError

# Serve listens for gRPC on every interface.
_EVERYWHERE = "0.0.0.0"  # noqa: S104


@contextmanager
def reserved_grpc_port(wanted: int | None) -> Iterator[int]:
    """Keep a port for the length of the block: the wanted one, or the usual one, or any other that is free.

    Serve binds its port with SO_REUSEPORT: two systems that found it free at the same moment would share it, and each
    would get some of the other's calls.

    Raises:
        StartError: Another program has the wanted one.
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            keeper.bind((_EVERYWHERE, wanted or DEFAULT_GRPC_PORT))
        except OSError:
            if wanted is not None:
                raise StartError(f"VOICEGRAPH_GRPC_PORT is {wanted}, where another program listens") from None
            keeper.bind((_EVERYWHERE, 0))
        port = int(keeper.getsockname()[1])
        if sys.platform == "linux":
            # From here on nobody else finds it free, and Serve, which asks to share it, gets it all the same.
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        else:
            keeper.close()
        yield port
