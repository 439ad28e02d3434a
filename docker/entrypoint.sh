#!/bin/sh
# What the container runs: `serve` listens to other machines, and so asks for a token; any other word is a command of
# patsearch, such as `ingest /weeks` or `index info /index`.
set -eu
if [ "${1:-}" != serve ]; then
  exec patsearch "$@"
fi
shift
if [ -z "${PATSEARCH_TOKEN:-}" ] && [ "${PATSEARCH_OPEN:-}" != 1 ]; then
  echo "patsearch: PATSEARCH_TOKEN is not set. Set it to 16 random characters or more, or set PATSEARCH_OPEN=1 to let" \
    "everybody search who can reach the container." >&2
  exit 2
fi
exec patsearch serve --host 0.0.0.0 --port 8765 "$@"
