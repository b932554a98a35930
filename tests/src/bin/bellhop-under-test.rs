//! `bellhop` as the tests run it: the same program, which ends with the test that started it and
//! lets a test put faults before and after its activities.

use std::{io::Read as _, process::ExitCode};

use bellhop_tests::faults;
use bellhop_workers::cli;

fn main() -> ExitCode {
    // The test holds the other end: when it is gone, however it went, so are we.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut vec![]);
        std::process::exit(0);
    });
    cli::main(faults::interceptor())
}
