//! `bellhop`: every role of the product as a subcommand of one binary.

use std::process::ExitCode;

use bellhop_workers::cli;

fn main() -> ExitCode {
    cli::main(None)
}
