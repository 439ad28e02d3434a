"""A whole table of encoders, each trained or loaded under one budget on one corpus, and measured the same way.

| module   | what                                              |
|----------|---------------------------------------------------|
| `rows`   | the rows of each suite and their recipes          |
| `worker` | one row in its own process: its encoder, its figures |
| `run`    | all rows; resumes what was interrupted            |
| `table`  | the result as Markdown, JSON and a page           |
"""
