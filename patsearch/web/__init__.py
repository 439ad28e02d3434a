"""The retrieval application: an HTTP API and a page over one index.

| module     | what it does                                                              |
|------------|---------------------------------------------------------------------------|
| `settings` | what a server is told when it starts                                      |
| `gate`     | before a request's body is read: host, origin, token, size, time, headers |
| `workers`  | processes that decode and encode what was uploaded, killed when they hang |
| `live`     | the index, opened once, shared, and opened anew when it was replaced      |
| `facets`   | what a filter leaves: classes, years, kinds                               |
| `asking`   | the form of a search -> vectors -> record                                 |
| `routes`   | the API's addresses                                                       |
| `schemas`  | the shapes of its answers, for its description                            |
| `telemetry`| logs and metrics of this server, which leave it for nobody                |
| `app`      | all of it in one ASGI application                                         |
| `serve`    | that application behind uvicorn                                           |
"""
