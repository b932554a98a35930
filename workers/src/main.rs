//! `bellhop`: every role of the product as a subcommand of one binary.

use std::process::ExitCode;

use bellhop_workers::cli;

/// A tenth of our time went into allocation: this one takes a sixth off a booking's user time
/// (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main(None)
}
