//! `ebb-relay token`: who may create journals.
//!
//! Works while a server runs on the same data: the server looks a token up whenever a journal is created.

use std::fmt;

use clap::Subcommand;
use protocol::api::EnrolmentToken;
use serde::Serialize;

use super::failure::Failure;
use super::{Data, now, print};
use crate::service;
use crate::storage::{Storage, TokenEntry, TokenId};

/// Random bytes of a token: 160 bits, 32 letters and digits.
const BYTES: usize = 20;

#[derive(Subcommand)]
pub(super) enum Token {
    /// Make a token, and print it; only its hash is kept
    New {
        #[command(flatten)]
        data: Data,
    },
    /// List all tokens by their public ids
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Revoke a token; journals created with it stay
    Revoke {
        #[command(flatten)]
        data: Data,
        /// The token's public id, as `token list` shows it
        id: String,
    },
}

/// A token that was just made.
#[derive(Serialize)]
struct New {
    token: String,
    id: String,
}

#[derive(Serialize)]
#[serde(transparent)]
struct List(Vec<Listed>);

#[derive(Serialize)]
struct Listed {
    id: String,
    created: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<u64>,
    journals: u64,
}

#[derive(Serialize)]
struct Revoked {
    revoked: String,
}

impl Token {
    /// Runs the command.
    pub(super) async fn run(self, json: bool) -> Result<(), Failure> {
        match self {
            Self::New { data } => {
                let store = data.open().await?.storage();
                let (token, id) = create(store.as_ref()).await?;
                let token = token.reveal().to_owned();
                print(&New { token, id: id.0 }, json)
            }
            Self::List { data } => {
                let tokens = data.open().await?.storage().tokens().await?;
                print(&List(tokens.into_iter().map(Listed::from).collect()), json)
            }
            Self::Revoke { data, id } => {
                let store = data.open().await?.storage();
                if store.revoke_token(TokenId(id.clone()), now()).await? {
                    print(&Revoked { revoked: id }, json)
                } else {
                    Err(Failure::UnknownToken(id))
                }
            }
        }
    }
}

/// Makes a token and keeps its hash.
pub(super) async fn create(store: &dyn Storage) -> Result<(EnrolmentToken, TokenId), Failure> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).map_err(Failure::Random)?;
    let text = data_encoding::BASE32_NOPAD
        .encode(&random)
        .to_ascii_lowercase();
    let token: EnrolmentToken = text
        .parse()
        .map_err(|_| Failure::UnknownToken(String::new()))?;
    let (hash, id) = service::hash_token(&token);
    store.add_token(id.clone(), hash, now()).await?;
    Ok((token, id))
}

impl From<TokenEntry> for Listed {
    fn from(entry: TokenEntry) -> Self {
        let TokenEntry {
            id,
            created,
            revoked,
            journals,
        } = entry;
        Self {
            id: id.0,
            created,
            revoked,
            journals,
        }
    }
}

impl fmt::Display for New {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.token)
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no tokens; make one with: ebb-relay token new");
        }
        for (index, token) in self.0.iter().enumerate() {
            let Listed { id, journals, .. } = token;
            let state = if token.revoked.is_some() {
                "revoked"
            } else {
                "valid"
            };
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{id}  {state:7}  {journals} journals")?;
        }
        Ok(())
    }
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revoked {}", self.revoked)
    }
}
