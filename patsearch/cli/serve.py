"""`patsearch serve`: the search page and the HTTP API over an index."""

from __future__ import annotations

from typing import Annotated

import click
import typer

from patsearch.cli.options import IndexFolder
from patsearch.cli.output import notice


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("serve")(command)


def command(
    index: IndexFolder,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. By default, only this machine can connect.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="Port; 0 for any free port.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", envvar="PATSEARCH_TOKEN", help="Token that requests must send; better in the environment."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="Name by which browsers may call the server; repeatable.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=256, help="Processes that encode pictures.")
    ] = None,
    max_upload: Annotated[
        int, typer.Option("--max-upload", min=1, max=1024, help="Limit of one request, in MiB.")
    ] = 64,
    time_out: Annotated[
        float, typer.Option("--time-out", min=1, max=600, help="Seconds in which a request must be answered.")
    ] = 30.0,
    browse: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve the search page and the HTTP API for an index. Docs: docs/operate/server.md.

    Nothing is sent to other servers, and uploads are not kept. Ctrl-C or SIGTERM stops the server after it has answered
    the current requests.
    """
    from patsearch.errors import PluginError

    try:
        from patsearch.web.serve import serve
        from patsearch.web.settings import MIB, ServerSettings
    except ImportError as error:
        raise PluginError(
            f"The server needs a package that is not installed: {error.name}.",
            hint="Run: pip install 'patsearch[web]'.",
        ) from error
    settings = ServerSettings(
        index=index,
        host=host,
        port=port,
        token=token or None,
        allowed_hosts=frozenset(name.lower() for name in allow_host or ()),
        max_bytes=max_upload * MIB,
        work_seconds=time_out,
        request_seconds=time_out,
        **({"workers": workers} if workers else {}),
    )
    serve(settings, ready=lambda address: _announce(address, settings.loopback, token is not None, browse))


def _announce(address: str, loopback: bool, guarded: bool, browse: bool) -> None:
    notice(f"the page is at {address} (Ctrl-C stops)")
    if not loopback and not guarded:
        notice("anyone who can reach this address can search: set PATSEARCH_TOKEN to require a token")
    if browse:
        click.launch(address)
