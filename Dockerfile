# syntax=docker/dockerfile:1
# The server on a base of nothing but the C library and certificates: no shell, no package manager, no root.
#   docker build -t sealroom .
#   docker run -p 8000:8000 -v sealroom:/var/lib/sealroom sealroom

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock rust-toolchain.toml ./
COPY crates crates
COPY migrations migrations
COPY xtask xtask
# What was compiled before is used again, and only the program goes on.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package sealroom-server \
    && cp target/release/sealroom-server /usr/local/bin/sealroom-server \
    && mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /usr/local/bin/sealroom-server /usr/local/bin/sealroom-server
# A new volume takes the owner of the directory that it covers.
COPY --from=build --chown=65532:65532 /data /var/lib/sealroom
ENV SEALROOM_LISTEN=0.0.0.0:8000 \
    SEALROOM_METRICS_LISTEN=0.0.0.0:9100 \
    SEALROOM_DATA_DIR=/var/lib/sealroom \
    SEALROOM_LOG_FORMAT=json
VOLUME /var/lib/sealroom
EXPOSE 8000 9100
STOPSIGNAL SIGTERM
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/sealroom-server"]
CMD ["serve"]
