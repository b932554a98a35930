//! The ledger file: one JSON line per answered call, written before the answer goes out.
//!
//! A line is one `write(2)` and no `fsync`: what was written outlives a `kill -9` of the simulator,
//! which is all that it promises. It need not outlive the machine, and benchmarks run against it:
//! waiting for the disk here would measure the disk instead of Bellhop.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use anyhow::Context;

use super::books::{Books, Entry};

/// The end of the file, where entries are added.
pub(super) struct Ledger {
    file: File,
    /// How much of the file is whole lines.
    length: u64,
    line: Vec<u8>,
}

/// Opens or creates the file and folds what is in it.
pub(super) fn open(path: &Path) -> anyhow::Result<(Ledger, Books)> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let (books, length) = replay(&file, path)?;
    file.set_len(length).with_context(|| format!("cannot shorten {}", path.display()))?;
    Ok((Ledger { file, length, line: Vec::new() }, books))
}

impl Ledger {
    /// Adds an entry; on an error the file is as it was.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, entry)?;
        self.line.push(b'\n');
        if let Err(error) = self.file.write_all(&self.line) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += self.line.len() as u64;
        Ok(())
    }
}

/// The books as the file tells them, and where its last whole line ends.
fn replay(file: &File, path: &Path) -> anyhow::Result<(Books, u64)> {
    let mut books = Books::default();
    let mut length = 0;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        let read = read.with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            let path = path.display();
            tracing::warn!(%path, line = number, "dropped the ledger's unfinished last line");
            break;
        }
        take(&mut books, &line)
            .with_context(|| format!("{}, line {number}: not an entry", path.display()))?;
        length += read as u64;
    }
    Ok((books, length))
}

fn take(books: &mut Books, line: &[u8]) -> anyhow::Result<()> {
    let entry = serde_json::from_slice(line)?;
    books.check(&entry)?;
    books.apply(entry);
    Ok(())
}
