# syntax=docker/dockerfile:1
# The server: patsearch with its default encoder, nothing to download at run time, no root.
#
#     docker build -t patsearch .
#     docker run --rm -v "$PWD/weeks:/weeks:ro" -v designs:/index patsearch ingest /weeks
#     docker run -p 127.0.0.1:8765:8765 -v designs:/index:ro -e PATSEARCH_TOKEN --read-only --tmpfs /tmp patsearch
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE NOTICE ./
COPY docs/shape-attributions.csv.gz docs/
COPY patsearch/ patsearch/
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /dist .
RUN python -m venv /opt/patsearch \
    && /opt/patsearch/bin/pip install --no-cache-dir "$(echo /dist/*.whl)[web,qdrant,models,heic,svg]"

FROM python:${PYTHON}-slim
COPY --from=build /opt/patsearch/ /opt/patsearch/
COPY --chmod=755 docker/entrypoint.sh /usr/local/bin/patsearch-entrypoint
# A named volume takes over the owner of the folder that it covers.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin patsearch \
    && install --directory --owner patsearch /index
ENV PATH=/opt/patsearch/bin:$PATH \
    PATSEARCH_INDEX=/index \
    NUMBA_CACHE_DIR=/tmp/numba \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
VOLUME /index
EXPOSE 8765
# The address is the one that the server is bound to: under it, the request is let in whatever --allow-host says.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://0.0.0.0:8765/api/v1/health', timeout=4)"]
ENTRYPOINT ["patsearch-entrypoint"]
CMD ["serve"]
