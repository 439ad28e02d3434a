"""`patsearch serve`: the retrieval application on this machine."""

from __future__ import annotations

from pathlib import Path

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the app."""

    @app.command("serve")
    def command(
        index: Path = typer.Option(..., "--index", "-i", envvar="PATSEARCH_INDEX", help="Folder of the index."),
        host: str = typer.Option("127.0.0.1", "--host", help="Address to listen at; this machine alone by default."),
        port: int = typer.Option(8765, "--port", "-p", min=0, max=65535, help="Port; 0 for any that is free."),
        token: str | None = typer.Option(
            None, "--token", envvar="PATSEARCH_TOKEN", help="What requests must bear; better in the environment."
        ),
        allow_host: list[str] = typer.Option([], "--allow-host", help="Name by which browsers may call the server."),
        workers: int | None = typer.Option(None, "--workers", min=1, max=256, help="Processes that encode pictures."),
        max_upload: int = typer.Option(64, "--max-upload", min=1, max=1024, help="MiB of one request."),
        time_out: float = typer.Option(30.0, "--time-out", min=1, max=600, help="Seconds for one query's pictures."),
        browse: bool = typer.Option(False, "--open", help="Open the page in a browser."),
    ) -> None:
        """Serve the page and the API over an index: draw or drop, look, narrow, report. Docs: docs/operate/server.md.

        Nothing is sent anywhere, and uploads are not kept. Ctrl-C or SIGTERM stops, after the answers under way.
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
            allowed_hosts=frozenset(name.lower() for name in allow_host),
            max_bytes=max_upload * MIB,
            work_seconds=time_out,
            **({"workers": workers} if workers else {}),
        )
        serve(settings, ready=lambda address: _announce(address, settings.loopback, token is not None, browse))


def _announce(address: str, loopback: bool, guarded: bool, browse: bool) -> None:
    from patsearch.cli.output import notice

    notice(f"the page is at {address} (Ctrl-C stops)")
    if not loopback and not guarded:
        notice("everybody who reaches this address can search: set PATSEARCH_TOKEN to ask for a token")
    if browse:
        import webbrowser

        webbrowser.open(address)
