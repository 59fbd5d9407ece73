# Everyday commands. `just` without a name lists them.

default:
    @just --list

# The server, on SQLite in data/.
run:
    cargo run --release

# Everything that CI checks, without the soak.
check: lint test

# Format, lints and documentation.
lint:
    cargo fmt --check
    cargo clippy --release --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --document-private-items

# All tests, or those whose name contains a word: `just test hostile`.
test *name:
    cargo test --release --features test-hooks -- {{ name }}

# 64 clients for some seconds on one of the databases.
soak seconds="180" database="sqlite":
    cargo bench --bench soak -- {{ seconds }} {{ database }}

# Fuzzing, some seconds for each target or for those that are named: `just fuzz 900 json values`. See docs/ARCHITECTURE.md.
fuzz seconds="600" *targets:
    fuzz/run {{ seconds }} {{ targets }}

# What CI runs, from a bare machine.
ci:
    .ci/run
