"""`patsearch mcp`: an index for assistants, over the Model Context Protocol."""

from __future__ import annotations

from typing import Annotated

import typer

from patsearch.cli.options import IndexFolder
from patsearch.cli.output import notice


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("mcp")(command)


def command(
    index: IndexFolder,
    http: Annotated[bool, typer.Option("--http", help="Serve over HTTP instead of standard input and output.")] = False,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. By default, only this machine can connect.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="Port; 0 for any free port.")] = 8766,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", envvar="PATSEARCH_TOKEN", help="Token that requests must send; better in the environment."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="Name by which clients may call the server; repeatable.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=256, help="Processes that read and encode pictures.")
    ] = 1,
    time_out: Annotated[
        float, typer.Option("--time-out", min=1, max=600, help="Seconds in which a call must be answered.")
    ] = 30.0,
) -> None:
    """Serve an index to assistants: tools that search, show patents and drawings, and explain a match.

    Without --http, the client starts this command and talks to it on standard input and output. With --http, the
    tools are at http://HOST:PORT/mcp, with the rules of `patsearch serve` for tokens and host names. Docs:
    docs/search/assistants.md.
    """
    from patsearch.errors import PluginError

    try:
        from patsearch.assistants.server import MOST_MESSAGE, run_http, run_stdio
        from patsearch.web.settings import ServerSettings
    except ImportError as error:
        raise PluginError(
            f"The server needs a package that is not installed: {error.name}.",
            hint="Run: pip install 'patsearch[mcp]'.",
        ) from error
    settings = ServerSettings(
        index=index,
        host=host,
        port=port,
        token=token or None,
        allowed_hosts=frozenset(name.lower() for name in allow_host or ()),
        workers=workers,
        max_text_bytes=MOST_MESSAGE,
        work_seconds=time_out,
        request_seconds=time_out + 5,  # the tool says it first
    )
    if not http:
        run_stdio(settings)
        return
    run_http(settings, ready=lambda address: _announce(address, settings.loopback, token is not None))


def _announce(address: str, loopback: bool, guarded: bool) -> None:
    notice(f"the tools are at {address} (Ctrl-C stops)")
    if not loopback and not guarded:
        notice("anyone who can reach this address can search: set PATSEARCH_TOKEN to require a token")
