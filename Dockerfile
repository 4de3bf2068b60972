# The gateway as a container: docker build --tag signal-gateway . (docs/container.md)
# The base is pinned by its tag; to pin its bytes, --build-arg BASE_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
# Where pip finds the wheels, on a machine without the public registry.
ARG PIP_INDEX_URL PIP_NO_INDEX PIP_FIND_LINKS
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
RUN python3 -m venv /app
COPY requirements/server.txt /src/requirements/
RUN /app/bin/python -m pip install --quiet --require-hashes --only-binary :all: --requirement /src/requirements/server.txt
COPY pyproject.toml README.md LICENSE /src/
COPY schemas /src/schemas
COPY bot_plugin /src/bot_plugin
COPY gateway /src/gateway
# A top-level "tests" is gmqtt's.
RUN /app/bin/python -m pip install --quiet --no-deps --no-build-isolation --no-index /src \
 && /app/bin/python -m pip uninstall --quiet --yes setuptools pip \
 && rm -rf /app/lib/python3.*/site-packages/tests \
 && /app/bin/python -m compileall -q /app/lib

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0.dev0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="signal-gateway" \
      org.opencontainers.image.description="The road from a trading signal to the bot that acts on it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# /broker is where a Mosquitto beside it has its logins and its store (deploy/compose): volumes get their owner from here.
RUN install --directory --owner 10001 --group 10001 --mode 0700 /data /broker/logins /broker/store
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    SIGNAL_GATEWAY_DATA=/data SIGNAL_GATEWAY_HTTP__PUBLIC__HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=5m --retries=3 CMD ["signal-gateway", "health"]
ENTRYPOINT ["signal-gateway"]
CMD ["run", "--init"]
