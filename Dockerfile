# `docker build .` builds the image that serves, `docker build --target train .` the one that trains:
# docs/run/deploy.md.

ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie

# The locked packages, verified by hash, as wheels only, so that nothing is compiled.
# Without pip, which a running container does not need.
FROM ${PYTHON_IMAGE} AS serve-packages
RUN python3 -m venv --without-pip /opt/venv
COPY requirements-serve.txt /locks/
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip --python /opt/venv install --require-hashes --only-binary :all: \
        -r /locks/requirements-serve.txt

FROM serve-packages AS train-packages
COPY requirements.txt /locks/
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip --python /opt/venv install --require-hashes --only-binary :all: \
        -r /locks/requirements.txt

# The code with static files and bytecode, since a container cannot write them.
# VAR_DIR keeps the secret key that the settings generate here out of the image.
FROM serve-packages AS site
WORKDIR /app
COPY . .
RUN VAR_DIR=/tmp/build /opt/venv/bin/python manage.py collectstatic \
        --no-input --ignore redoc --verbosity 0 \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash .

# Shared by both images: an unprivileged user and the one folder that it can write to.
FROM ${PYTHON_IMAGE} AS runtime
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    VAR_DIR=/var/lib/mnistsite
RUN mkdir /app \
    && groupadd --gid 10001 mnistsite \
    && useradd --uid 10001 --gid mnistsite --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin mnistsite \
    && install --directory --owner mnistsite --group mnistsite --mode 0700 /var/lib/mnistsite
WORKDIR /app
# Numeric, so that orchestrators can verify that it is not root.
USER 10001:10001
VOLUME /var/lib/mnistsite
ARG VERSION=development
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mnistsite" \
      org.opencontainers.image.description="Reads handwritten digits in pictures and keeps every prediction" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM runtime AS train
COPY --from=train-packages /opt/venv /opt/venv
COPY --from=site /app /app
# Like Ctrl-C: training saves a checkpoint and prints how to resume.
STOPSIGNAL SIGINT
CMD ["python", "manage.py", "train"]

FROM runtime AS serve
ENV HOST=0.0.0.0 \
    PORT=8000
COPY --from=serve-packages /opt/venv /opt/venv
COPY --from=site /app /app
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]
# `exec` makes gunicorn the container's first process, which `docker stop` signals.
CMD ["sh", "-c", "python manage.py migrate --verbosity 0 && exec python -m gunicorn -c python:mnistsite.gunicorn_config"]
