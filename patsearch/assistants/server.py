"""The tools over the Model Context Protocol: standard input and output, or streamable HTTP behind the web's gate."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    ImageContent,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as ListedTool
from pydantic import ValidationError
from starlette.applications import Starlette

from patsearch import __version__
from patsearch.assistants.tools import MOST_ANSWER, MOST_PICTURE, TOOLS, Answer, Tool
from patsearch.deadline import set_deadline
from patsearch.errors import InputError, PatsearchError, TimedOut, UsageError
from patsearch.text import visible
from patsearch.web.gate import Gate
from patsearch.web.live import LiveIndex
from patsearch.web.routes import Service
from patsearch.web.serve import serve
from patsearch.web.settings import ServerSettings
from patsearch.web.telemetry import LOGGER, Metrics
from patsearch.web.workers import Busy, Workers

# Of one message: a picture in base64, and the rest.
MOST_MESSAGE = 4 * MOST_PICTURE // 3 + (256 << 10)
PATH = "/mcp"
_INSTRUCTIONS = (
    "Searches an index of design patents by picture. Begin with index_info to see what is in it; search takes a "
    "picture or a patent number; patent and drawing show what was found; explain shows where two drawings agree; plate "
    "puts designs next to each other. "
    "Similarity of drawings is not an opinion on infringement or validity."
)
_LOOKS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


def run_stdio(settings: ServerSettings) -> None:
    """Serve one client on standard input and output, until it closes them.

    Raises:
        VectorIndexError: the index does not exist, or cannot be opened.
        EncoderError, EncoderMismatch: the index's encoder is not available.
    """
    asyncio.run(_stdio(settings))


def run_http(settings: ServerSettings, *, ready: Callable[[str], None]) -> None:
    """Serve at `/mcp`, with the rules of `patsearch serve` for host, origin, token and size; errors as of `run_stdio`.

    Args:
        ready: called with the address of the tools once they answer.
    """
    serve(settings, ready=lambda address: ready(address.rstrip("/") + PATH), make=create_http_app)


def create_http_app(settings: ServerSettings) -> Starlette:
    """The HTTP application; every request is complete in itself, and its answer is JSON."""
    metrics = Metrics()
    service = Service(settings, LiveIndex(settings.index), Workers(settings, metrics), metrics)
    app = _server(service).streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=settings.max_text_bytes,
        # The gate has the rules, for this server as for the page.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    sessions = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.failure = None
        try:
            await _warm(service)
            async with sessions(app):
                yield
        except PatsearchError as error:
            app.state.failure = error
            raise
        finally:
            await asyncio.to_thread(service.close)

    app.router.lifespan_context = lifespan
    app.add_middleware(Gate, settings=settings, metrics=metrics)
    return app


async def _stdio(settings: ServerSettings) -> None:
    metrics = Metrics()
    service = Service(settings, LiveIndex(settings.index), Workers(settings, metrics), metrics)
    server = _server(service)
    try:
        # From here on, what this process and its workers print goes to standard error.
        async with stdio_server() as (read, write):
            await _warm(service)
            await server.run(read, write, server.create_initialization_options())
    finally:
        service.close()


async def _warm(service: Service) -> None:
    with service.index.borrowed() as (engine, _):
        spec = engine.spec
    await service.workers.warm(spec)


def _server(service: Service) -> Server[Any]:
    async def list_tools(_: Any, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_listed(name, tool) for name, tool in TOOLS.items()])

    async def call_tool(_: Any, asked: CallToolRequestParams) -> CallToolResult:
        return await call(service, asked.name, asked.arguments or {})

    return Server(
        "patsearch",
        version=__version__,
        title="patsearch",
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _listed(name: str, tool: Tool) -> ListedTool:
    return ListedTool(
        name=name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.takes.model_json_schema(),
        output_schema=tool.answers.model_json_schema(mode="serialization"),
        annotations=_LOOKS,
    )


async def call(service: Service, name: str, arguments: dict[str, Any]) -> CallToolResult:
    """Call a tool; whatever goes wrong is an answer that says so."""
    tool = TOOLS.get(name)
    if tool is None:
        return _error(f"No tool {visible(name[:60])!r}. Tools: {', '.join(TOOLS)}.")
    seconds = service.settings.work_seconds
    try:
        asked = tool.takes.model_validate(arguments)
        set_deadline(seconds)
        async with asyncio.timeout(seconds):
            answer = await tool.work(service, asked)
        return _within_bounds(answer)
    except ValidationError as error:
        return _error(_reason(error))
    except TimeoutError:
        return _error(f"The answer was not ready within {seconds:g} seconds. Request less.")
    except (InputError, UsageError, TimedOut, Busy) as error:
        # Messages name the index by its path, which clients must not see.
        return _error(str(error).replace(str(service.settings.index), service.settings.index.name))
    except (PatsearchError, OSError) as error:
        LOGGER.error("cannot answer", extra={"fields": {"tool": name, "reason": str(error)}})
        return _error("The index cannot be searched at the moment; the server's log says why.")
    except Exception as error:
        LOGGER.error("a bug", exc_info=error)
        return _error("The server failed; its log says why.")


def _within_bounds(answer: Answer) -> CallToolResult:
    """The answer as it is sent: text for clients that read nothing else, data, and one picture.

    Raises:
        UsageError: it is larger than an answer may be.
    """
    text = answer.data.model_dump_json(exclude_none=True)
    content: list[ContentBlock] = [TextContent(text=text)]
    if answer.picture:
        content.append(TextContent(text=answer.shows))
        data = b64encode(answer.picture.data).decode()
        content.append(ImageContent(data=data, mime_type=answer.picture.mime))
    result = CallToolResult(content=content, structured_content=answer.data.model_dump(mode="json"))
    if len(result.model_dump_json(by_alias=True).encode()) > MOST_ANSWER - 1000:  # the message around it
        raise UsageError("The answer would be larger than 1 MB.", hint="Request fewer results.")
    return result


def _reason(error: ValidationError) -> str:
    """What is wrong with arguments, in one line."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[:3]
    said = [f"{'.'.join(str(part) for part in one['loc'])[:60]}: {one['msg'][:200]}" for one in first]
    return f"Invalid arguments: {visible('; '.join(said))}."


def _error(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=visible(text))], is_error=True)
