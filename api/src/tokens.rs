//! Who callers are: bearer tokens, known by their hash.

use std::collections::{BTreeSet, HashMap};

use bellhop_domain::{
    event::Role,
    id::{CompanyId, SubjectId},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::caller::Caller;

type Hash = [u8; 32];

/// The tokens that are accepted.
#[derive(Clone, Debug, Default)]
pub struct Tokens(HashMap<Hash, Caller>);

/// Why a token file is refused.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTokens {
    /// The text is no TOML or does not fit the format.
    #[error("{file}: {source}")]
    Format {
        /// The file.
        file: String,
        /// Where in it and why.
        source: Box<toml::de::Error>,
    },
    /// An entry makes no sense.
    #[error("{file}: tokens[{entry}].{key}: {reason}")]
    Entry {
        /// The file.
        file: String,
        /// Which entry, from 0.
        entry: usize,
        /// Which key of it.
        key: &'static str,
        /// Why, and what would.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tokens: Vec<Entry>,
}

/// An entry of a token file. Words are strings here, so that an error can name the entry.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    sha256: String,
    subject: String,
    role: String,
    #[serde(default)]
    companies: Vec<String>,
}

impl Tokens {
    /// Reads a token file: `[[tokens]]` entries with the SHA-256 of the token in hex, its subject,
    /// its role, and the companies that a manager (or a driver) acts for.
    ///
    /// # Errors
    /// What does not fit the format, or the first entry that makes no sense.
    pub fn parse(file: &str, text: &str) -> Result<Self, InvalidTokens> {
        let parsed: File = toml::from_str(text).map_err(|source| InvalidTokens::Format {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        let mut tokens = HashMap::new();
        for (entry, it) in parsed.tokens.iter().enumerate() {
            let wrong =
                |(key, reason)| InvalidTokens::Entry { file: file.to_owned(), entry, key, reason };
            let (hash, caller) = it.read().map_err(wrong)?;
            if tokens.insert(hash, caller).is_some() {
                return Err(wrong(("sha256", "stands there twice".to_owned())));
            }
        }
        Ok(Self(tokens))
    }

    /// The fixed words of a development server. Anyone can know them.
    ///
    /// # Panics
    /// Never: its ids are valid.
    pub fn dev() -> Self {
        let seed: &[&str] = &["com_mapo", "com_hangang"];
        let words: [(&str, &str, Role, &[&str]); 8] = [
            ("dev-customer", "cus_kim", Role::Customer, &[]),
            ("dev-customer-lee", "cus_lee", Role::Customer, &[]),
            ("dev-manager", "mgr_dev", Role::Manager, seed),
            ("dev-driver", "drv_park", Role::Driver, seed),
            ("dev-driver-choi", "drv_choi", Role::Driver, seed),
            ("dev-driver-jung", "drv_jung", Role::Driver, seed),
            ("dev-cleaner", "cln_han", Role::Driver, seed),
            ("dev-operator", "ope_dev", Role::Operator, &[]),
        ];
        Self(
            words
                .into_iter()
                .map(|(token, subject, role, companies)| {
                    let companies = companies.iter().map(|it| it.parse().expect("an id"));
                    let subject = subject.parse().expect("an id");
                    (hash(token), Caller { subject, role, companies: companies.collect() })
                })
                .collect(),
        )
    }

    /// Whose token it is. What is compared are hashes, so the time that it takes tells nothing of
    /// how near a guess is.
    pub(crate) fn caller(&self, token: &str) -> Option<&Caller> {
        self.0.get(&hash(token))
    }
}

impl Entry {
    fn read(&self) -> Result<(Hash, Caller), (&'static str, String)> {
        let hash = from_hex(&self.sha256).ok_or_else(|| {
            let reason = "write the SHA-256 of the token as 64 hexadecimal digits";
            ("sha256", reason.to_owned())
        })?;
        let subject: SubjectId =
            self.subject.parse().map_err(|error| ("subject", format!("{error}")))?;
        let role = match self.role.as_str() {
            "customer" => Role::Customer,
            "manager" => Role::Manager,
            "driver" => Role::Driver,
            "operator" => Role::Operator,
            _ => return Err(("role", "use customer, manager, driver or operator".to_owned())),
        };
        let companies: BTreeSet<CompanyId> = self
            .companies
            .iter()
            .map(|it| it.parse().map_err(|error| ("companies", format!("{error}"))))
            .collect::<Result<_, _>>()?;
        match role {
            Role::Manager if companies.is_empty() => {
                Err(("companies", "name the companies that the manager decides for".to_owned()))
            }
            Role::Customer | Role::Operator if !companies.is_empty() => {
                Err(("companies", "only managers and drivers act for companies".to_owned()))
            }
            _ => Ok((hash, Caller { subject, role, companies })),
        }
    }
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

fn from_hex(text: &str) -> Option<Hash> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf %s abc | sha256sum`
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn file(entry: &str) -> String {
        format!("[[tokens]]\nsha256 = \"{ABC}\"\n{entry}\n")
    }

    #[test]
    fn a_token_names_its_caller() -> Result<(), InvalidTokens> {
        let text = file("subject = \"mgr_1\"\nrole = \"manager\"\ncompanies = [\"com_mapo\"]");
        let tokens = Tokens::parse("tokens.toml", &text)?;
        let caller = tokens.caller("abc").expect("it is in the file");
        assert_eq!((caller.subject.as_str(), caller.role), ("mgr_1", Role::Manager));
        assert!(tokens.caller("abcd").is_none() && tokens.caller(ABC).is_none());
        Ok(())
    }

    #[test]
    fn an_error_names_the_file_and_the_entry() {
        let refused = |entry: &str, expected: &str| {
            let error = Tokens::parse("tokens.toml", &file(entry)).unwrap_err().to_string();
            assert!(error.starts_with("tokens.toml: ") && error.contains(expected), "{error}");
        };
        let customer = "subject = \"cus_1\"\nrole = \"customer\"";
        refused("subject = \"a b\"\nrole = \"customer\"", "tokens[0].subject: ");
        refused("subject = \"cus_1\"\nrole = \"system\"", "tokens[0].role: ");
        refused("subject = \"mgr_1\"\nrole = \"manager\"", "tokens[0].companies: ");
        refused(&format!("{customer}\ncompanies = [\"com_1\"]"), "tokens[0].companies: ");
        refused(&format!("{customer}\n{}", file(customer)), "tokens[1].sha256: stands there twice");
        refused(&format!("{customer}\ncolour = \"red\""), "colour");
        let short = Tokens::parse("t", "[[tokens]]\nsha256='a'\nsubject='c'\nrole='customer'");
        assert!(short.unwrap_err().to_string().contains("t: tokens[0].sha256: "));
    }

    #[test]
    fn the_words_of_a_development_server_are_known() {
        let tokens = Tokens::dev();
        let subject = |token| tokens.caller(token).map(|it| it.subject.as_str());
        assert_eq!(subject("dev-customer"), Some("cus_kim"));
        assert_eq!(subject("dev-customer-lee"), Some("cus_lee"));
        assert_eq!(subject("dev-driver"), Some("drv_park"));
        assert_eq!(subject("dev-cleaner"), Some("cln_han"));
        assert_eq!(subject("dev"), None);
    }
}
