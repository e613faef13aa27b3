"""A Pub/Sub that takes everything and keeps nothing: an emulator would take more of the machine than the server."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc


class _Taken(grpc.GenericRpcHandler):
    def service(self, _: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")


def main() -> None:
    """Serve on the port that is given, until the process is ended."""
    options = [("grpc.max_receive_message_length", 20_000_000)]
    server = grpc.server(ThreadPoolExecutor(1), handlers=[_Taken()], options=options)
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    sys.stderr.write("listening on\n")
    sys.stderr.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
