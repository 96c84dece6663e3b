# syntax=docker/dockerfile:1

ARG RUST_VERSION=1.95
FROM rust:${RUST_VERSION}-bookworm AS build
WORKDIR /build
COPY . .
# What cargo downloads and builds stays in caches of the builder, so that a
# change of the code does not build the dependencies again.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --profile dist \
    && install -D target/dist/retentiond /out/retentiond

FROM debian:bookworm-slim
# The system's certificates, for a database that is reached over TLS.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 retentiond \
    && useradd --system --uid 10001 --gid 10001 --no-create-home \
        --home-dir /var/lib/retentiond --shell /usr/sbin/nologin retentiond \
    && install -d -o retentiond -g retentiond -m 0700 /var/lib/retentiond \
    && install -d /etc/retentiond /schedule
COPY --from=build /out/retentiond /usr/bin/retentiond
USER 10001:10001
# Where `--schedule` finds retention.toml without being told; the settings are
# /etc/retentiond/retentiond.toml.
WORKDIR /schedule
# The account is not root, so the state's folder has to be said.
ENV RETENTIOND__STATE__DIRECTORY=/var/lib/retentiond \
    RETENTIOND__LOG__FORMAT=json
VOLUME ["/var/lib/retentiond"]
# The daemon ends in good order: after its batch, and before the next.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/retentiond"]
CMD ["daemon"]
