//! `make requirements`: every requirement, the tests that show it, and how they went.
//!
//! The list is `tests/requirements.txt`; the tests are those of `--test scenarios`, by their names;
//! how they went is what their own runner says, now. It fails when a requirement is not shown.

use std::{
    fmt,
    io::{BufRead as _, BufReader},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, bail};

const LIST: &str = include_str!("../../requirements.txt");

fn main() -> anyhow::Result<ExitCode> {
    let requirements = listed(LIST)?;
    let tests = run()?;
    let report = Report::of(&requirements, &tests);
    print!("{report}");
    Ok(if report.is_shown() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the scenarios; what their runner says of each test.
fn run() -> anyhow::Result<Vec<Test>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .args(["test", "-p", "bellhop-tests", "--test", "scenarios", "--"])
        .args(["--format", "pretty", "--color", "never"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo cannot be started")?;
    let output = child.stdout.take().context("its output is piped")?;
    let lines = BufReader::new(output).lines().collect::<Result<Vec<_>, _>>()?;
    let status = child.wait()?;
    if !status.success() {
        eprintln!("{}", lines.join("\n"));
    }
    let mut tests: Vec<_> = lines.iter().filter_map(|line| Test::read(line)).collect();
    tests.sort_by(|a, b| a.name.cmp(&b.name)); // as they were done, they differ from run to run
    if tests.is_empty() {
        bail!("no test was run ({status})");
    }
    Ok(tests)
}

/// Something that Bellhop has to do.
#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    /// `call-taxi 4`.
    name: String,
    /// What it asks for.
    text: String,
    /// How the names of its tests begin: `call_taxi_04_`.
    prefix: String,
}

/// Reads the list of requirements.
fn listed(text: &str) -> anyhow::Result<Vec<Requirement>> {
    let is_entry = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let mut requirements: Vec<Requirement> = vec![];
    for line in text.lines().map(str::trim).filter(is_entry) {
        let read = || {
            let (name, text) = line.split_once(": ")?;
            let (service, number) = name.split_once(' ')?;
            let prefix =
                format!("{}_{:02}_", service.replace('-', "_"), number.parse::<u8>().ok()?);
            Some(Requirement { name: name.to_owned(), text: text.to_owned(), prefix })
        };
        let requirement = read().with_context(|| format!("write it as \"common 1: …\": {line}"))?;
        if requirements.iter().any(|it| it.name == requirement.name) {
            bail!("{} stands there twice", requirement.name);
        }
        requirements.push(requirement);
    }
    Ok(requirements)
}

/// A test that was run.
#[derive(Debug, PartialEq, Eq)]
struct Test {
    /// Its name, without the modules around it.
    name: String,
    went: Went,
}

/// How a test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    Well,
    Wrong,
    /// It was left out: it shows nothing.
    Ignored,
}

impl Test {
    /// Reads a result line of the runner: `test approval::call_taxi_04_a_manager_confirms ... ok`.
    fn read(line: &str) -> Option<Self> {
        let (path, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
        let path = path.strip_suffix(" - should panic").unwrap_or(path);
        let went = match result.split([' ', ',']).next()? {
            "ok" => Went::Well,
            "FAILED" => Went::Wrong,
            "ignored" => Went::Ignored,
            _ => return None,
        };
        let name = path.rsplit("::").next()?.to_owned();
        Some(Self { name, went })
    }
}

/// What is shown, and by what.
struct Report<'a> {
    rows: Vec<(&'a Requirement, Vec<&'a Test>)>,
    others: Vec<&'a Test>,
}

impl<'a> Report<'a> {
    fn of(requirements: &'a [Requirement], tests: &'a [Test]) -> Self {
        let shows = |it: &Requirement, test: &Test| test.name.starts_with(&it.prefix);
        let of = |it: &'a Requirement| (it, tests.iter().filter(|test| shows(it, test)).collect());
        let is_other = |test: &&Test| !requirements.iter().any(|it| shows(it, test));
        let others = tests.iter().filter(is_other).collect();
        Self { rows: requirements.iter().map(of).collect(), others }
    }

    /// Whether every requirement has tests and all of them went well.
    fn is_shown(&self) -> bool {
        self.missing() == 0 && self.failed() == 0
    }

    fn missing(&self) -> usize {
        self.rows.iter().filter(|(_, tests)| is_missing(tests)).count()
    }

    fn failed(&self) -> usize {
        self.rows.iter().filter(|(_, tests)| tests.iter().any(|it| it.went == Went::Wrong)).count()
    }
}

/// Whether nothing was run for a requirement.
fn is_missing(tests: &[&Test]) -> bool {
    tests.iter().all(|it| it.went == Went::Ignored)
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (requirement, tests) in &self.rows {
            writeln!(f, "{:<13} {}", requirement.name, requirement.text)?;
            for test in tests {
                let sentence = test.name[requirement.prefix.len()..].replace('_', " ");
                writeln!(f, "{:<13}   {:<7} {sentence}", "", test.went.to_string())?;
            }
            if is_missing(tests) {
                writeln!(f, "{:<13}   missing", "")?;
            }
        }
        let (all, missing, failed) = (self.rows.len(), self.missing(), self.failed());
        let wrong = self.others.iter().filter(|it| it.went == Went::Wrong).count();
        writeln!(f)?;
        writeln!(f, "{all} requirements: {missing} missing, {failed} FAILED")?;
        writeln!(f, "{} other tests: {wrong} FAILED", self.others.len())
    }
}

impl fmt::Display for Went {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Well => "ok",
            Self::Wrong => "FAILED",
            Self::Ignored => "ignored",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "
running 5 tests
test call_taxi::approval::call_taxi_04_a_manager_confirms ... ok
test call_taxi::approval::call_taxi_04_a_manager_declines ... FAILED
test common::common_01_it_is_whole - should panic ... ok
test common::common_02_it_is_on_record ... ignored, not yet
test api::door::it_is_shut ... ok
test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out
";

    fn tests() -> Vec<Test> {
        RUN.lines().filter_map(Test::read).collect()
    }

    #[test]
    fn the_runners_result_lines_are_read() {
        let tests = tests();
        let read: Vec<_> = tests.iter().map(|it| (it.name.as_str(), it.went)).collect();
        let expected = [
            ("call_taxi_04_a_manager_confirms", Went::Well),
            ("call_taxi_04_a_manager_declines", Went::Wrong),
            ("common_01_it_is_whole", Went::Well),
            ("common_02_it_is_on_record", Went::Ignored),
            ("it_is_shut", Went::Well),
        ];
        assert_eq!(read, expected);
        for line in
            ["", "running 5 tests", "test result: ok. 1 passed", "test a ... maybe", "a ... ok"]
        {
            assert_eq!(Test::read(line), None, "{line:?}");
        }
    }

    #[test]
    fn the_list_that_ships_can_be_read() -> anyhow::Result<()> {
        let requirements = listed(LIST)?;
        assert!(requirements.iter().any(|it| it.prefix == "call_taxi_04_"));
        assert!(requirements.iter().any(|it| it.prefix == "common_14_"));
        assert!(listed("common 1: a\ncommon 1: b").is_err(), "twice");
        assert!(listed("common one: a").is_err() && listed("common 1").is_err());
        Ok(())
    }

    #[test]
    fn a_requirement_is_shown_by_tests_that_were_run_and_went_well() -> anyhow::Result<()> {
        let (list, tests) = ("call-taxi 4: a\ncommon 1: b\ncommon 2: c\ncommon 10: d", tests());
        let shown = |list| anyhow::Ok(Report::of(&listed(list)?, &tests).is_shown());
        assert!(shown("common 1: b")?);
        assert!(!shown("call-taxi 4: a")?, "one of its tests failed");
        assert!(!shown("common 2: c")?, "its test was left out");
        assert!(!shown("common 10: d")?, "it has none");

        let requirements = listed(list)?;
        let text = Report::of(&requirements, &tests).to_string();
        for line in ["ok      a manager confirms", "FAILED  a manager declines", "missing"] {
            assert!(text.contains(line), "{text}");
        }
        assert!(text.contains("4 requirements: 2 missing, 1 FAILED"), "{text}");
        assert!(text.contains("1 other tests: 0 FAILED"), "{text}");
        Ok(())
    }
}
