"""The retrieval application: an HTTP API and a page over one index.

| module     | what it does                                                              |
|------------|---------------------------------------------------------------------------|
| `settings` | a server's settings                                                       |
| `gate`     | before a request's body is read: host, origin, token, size, time, headers |
| `workers`  | processes that decode and encode what was uploaded, killed when they hang |
| `live`     | the index, opened once, shared, and reopened when it was replaced         |
| `facets`   | what a filter selects: classes, years, kinds                              |
| `asking`   | the form of a search -> vectors -> record                                 |
| `routes`   | the API's addresses                                                       |
| `schemas`  | the shapes of its answers, for its description                            |
| `telemetry`| logs and metrics of this server, which are sent nowhere                   |
| `app`      | all of it in one ASGI application                                         |
| `serve`    | that application behind uvicorn                                           |
"""
