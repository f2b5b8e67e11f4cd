# Kapok in a container: `docker build -t kapok .`, then `docker compose up`.
# Python is of the version that the tests run on; every package is checked against its hash.

FROM python:3.11-slim AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

# What changes seldom comes first.
COPY requirements/ requirements/
RUN python -m venv /opt/kapok \
 && /opt/kapok/bin/pip install --require-hashes --only-binary :all: -r requirements/run.txt
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements/build.txt

COPY pyproject.toml README.md LICENSE ./
COPY geo/ geo/
COPY schemas/ schemas/
COPY dispatch/ dispatch/
RUN /opt/build/bin/hatchling build --target wheel --directory dist \
 && /opt/kapok/bin/pip install --no-deps --no-index dist/kapok-*.whl \
 && /opt/kapok/bin/python -m compileall -q /opt/kapok/lib


FROM python:3.11-slim AS run

RUN groupadd --gid 10001 kapok \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/kapok --create-home --shell /usr/sbin/nologin kapok

COPY --from=build /opt/kapok /opt/kapok

# The database of a container without DATABASE_URL, and the generated city, live in KAPOK_DATA.
ENV PATH=/opt/kapok/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    KAPOK_DATA=/var/lib/kapok \
    KAPOK_HOST=0.0.0.0 \
    KAPOK_PORT=8110

USER 10001:10001
WORKDIR /var/lib/kapok
VOLUME ["/var/lib/kapok"]
EXPOSE 8110

# Ready means: migrated, caught up with the log, taking phones. 503 raises, so the exit code is 1.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8110/readyz', timeout=2)"]

# SIGTERM drains: phones are told to come back, decisions under way are finished.
STOPSIGNAL SIGTERM
ENTRYPOINT ["kapok"]
CMD ["serve"]
