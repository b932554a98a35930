//! `bellhop`: every role of the product as a subcommand of one binary.

use std::process::ExitCode;

use bellhop_workers::cli;

/// Serving bookings is a quarter of allocations; this one is faster than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main(None)
}
