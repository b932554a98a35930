//! `bellhop` as the tests run it: the same program, which ends with the test that started it and
//! lets a test put faults before and after its activities.

use std::{io::Read as _, process::ExitCode};

use bellhop_tests::{faults, stack};
use bellhop_workers::cli;

fn main() -> ExitCode {
    // What ends by itself is not tied to anything.
    if std::env::args().nth(1).is_some_and(|role| role != "migrate") {
        std::thread::spawn(end_with_the_test);
    }
    cli::main(faults::interceptor())
}

/// The test holds the other end of our input: when it is gone, however it went, so are we.
fn end_with_the_test() {
    let _ = std::io::stdin().read_to_end(&mut vec![]);
    if let Some(folder) = std::env::var_os(stack::FOLDER) {
        let _ = std::fs::remove_dir_all(folder);
    }
    std::process::exit(0);
}
