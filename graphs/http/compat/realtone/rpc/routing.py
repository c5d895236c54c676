"""Registration of the gRPC service at Serve's proxies, and routing of its calls to the application.

A call names its Serve application in the metadata ``application``, and Serve answers NOT_FOUND to one that does not as
soon as two applications have routes. Clients of the contract know nothing of applications, so theirs is filled in here,
by the function that ``grpc_options.grpc_servicer_functions`` names: Serve calls it with each proxy's server.
"""

from collections.abc import Mapping
from typing import Any

import grpc

from graphs.http.compat.realtone.rpc.audio_analyzer_pb2_grpc import add_AudioAnalysisServicer_to_server

APPLICATION = "api"
_METADATA_KEY = "application"


def add_audio_analysis(servicer: Any, server: grpc.aio.Server) -> None:
    """Add the service to a proxy's server; Serve puts its own routing in place of the servicer's methods."""
    add_AudioAnalysisServicer_to_server(servicer, _Registration(server))  # type: ignore[no-untyped-call]


class _Registration:
    """Stands for the server where generated code registers its handlers."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: tuple[Any, ...]) -> None:
        self._server.add_generic_rpc_handlers(tuple(_WithApplication(handler) for handler in handlers))

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler]) -> None:
        # Registered handlers go before generic ones and would bypass them.
        del service, handlers


class _WithApplication(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Handlers whose calls go to this application unless they name another.

    Attributes:
        _method_handlers: Handlers by full method name; Serve reads and replaces them under this name.
    """

    def __init__(self, handlers: Any) -> None:
        self._method_handlers: dict[str, grpc.RpcMethodHandler] = handlers._method_handlers

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        handler = self._method_handlers.get(call.method)
        if handler is None:
            return None
        behaviour = handler.unary_unary

        async def routed(request: Any, context: Any) -> Any:
            return await behaviour(request, _Context(context))

        return handler._replace(unary_unary=routed)


class _Context:
    """A call's context with the application in its metadata; the rest is the context's own."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return what the client sent, and the application if it sent none."""
        sent = tuple(self._context.invocation_metadata() or ())
        named = any(key == _METADATA_KEY for key, _value in sent)
        return sent if named else (*sent, (_METADATA_KEY, APPLICATION))
