//! Entry point.
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("worker") => trellis::sandbox::worker::main(TEST_SERVICES),
        _ => ExitCode::FAILURE,
    }
}

/// A service to test the sandbox with.
const TEST_SERVICES: &[trellis::sandbox::ServiceSource] = &[trellis::sandbox::ServiceSource {
    name: "test",
    js: "(host, { ObjectFreeze }, context) => ObjectFreeze({ \
           call: (method, ...args) => host(`test.${method}`, ...args), \
           requestId: context.requestId })",
}];
