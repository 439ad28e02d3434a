"""Measuring retrieval: datasets, exact ranking, metrics, backends, reports.

| module                               | what                                                           |
|--------------------------------------|----------------------------------------------------------------|
| `metrics`                            | pure functions of ranks                                        |
| `relevance`, `ranking`               | judgements; exact ranking in bounded memory                    |
| `collection`, `datasets`             | drawings with vectors; queries, gallery and judgements on them |
| `specs`, `materials`, `protocols`    | from a dataset's name to the dataset                           |
| `lists`, `images`                    | datasets of listed image files                                 |
| `quality`, `backends`, `environment` | what is measured                                               |
| `results`, `runner`                  | a whole benchmark                                              |
| `runfile`, `compare`                 | runs on disk, two runs side by side                            |
| `page`, `plots`                      | the HTML report                                                |

`metrics`, `relevance` and `ranking` need NumPy alone, so a training loop can use them too.
"""
