# The image that action.yml runs: the program, git, and the certificates to talk
# to GitHub. Nothing else is in it, and nothing runs but the program.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY fixtures/demo fixtures/demo
COPY fuzz fuzz
COPY src src
RUN cargo build --release --locked --bin testmedic

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="testmedic" \
      org.opencontainers.image.description="Reads test results, finds out why tests failed, and says so with evidence" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# The runner mounts the workspace with an owner of its own; git would refuse it.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git \
 && rm -rf /var/lib/apt/lists/* \
 && git config --system --add safe.directory '*'
COPY --from=build /build/target/release/testmedic /usr/local/bin/testmedic
# No USER: a container action has to run as the user whom the runner chooses,
# and the program works as any.
ENTRYPOINT ["testmedic"]
CMD ["--help"]
