# The product alone, from its lock files, as an unprivileged user. Base images are named by tag: no registry could be asked
# for digests where this was written. Pin them before production: `docker buildx imagetools inspect IMAGE`, then IMAGE@sha256:….
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements-build.lock requirements.lock ./
RUN python -m venv /opt/gateway \
 && /opt/gateway/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock -r requirements.lock
COPY . .
RUN /opt/gateway/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/gateway /opt/gateway
RUN useradd --uid 10001 --no-create-home gateway && install -d -o gateway -m 0700 /data /writer
USER gateway
ENV PATH=/opt/gateway/bin:$PATH GATEWAY_DATA_DIR=/data PYTHONUNBUFFERED=1
VOLUME /data
ENTRYPOINT ["snds-gateway"]
CMD ["serve", "--host", "0.0.0.0"]
