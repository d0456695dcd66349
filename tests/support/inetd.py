"""What systemd does for a socket with Accept=yes: a program for each connection, with that as its standard input."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def inetd(path: Path, command: Sequence[str], log: Path, **environment: str) -> Iterator[None]:
    """Listens on a socket for everybody; what the program says on standard error goes to `log`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, log.open("ab") as output:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    subprocess.run(
                        command,
                        stdin=connection,
                        stdout=output,
                        stderr=output,
                        check=False,
                        timeout=60,
                        env={**os.environ, **environment},
                    )

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
