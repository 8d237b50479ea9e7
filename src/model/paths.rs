use super::balancer::{Condition, Outcome};
use super::store::Store;
use crate::net::{EnvoyPaths, PathRefused, Request, Texts, encoded_path, envoy_path, nginx_path};

/// How a listener reads the path of a request before its conditions see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Paths {
    /// Not known: conditions are asked of the path as a request is written.
    #[default]
    AsWritten,
    /// As it is sent, whatever that leads to (HAProxy).
    AsSent,
    /// Decoded and resolved (nginx).
    Nginx {
        /// For which requests slashes in a row are one.
        merged: Condition,
    },
    /// As its connection manager says (Envoy).
    Envoy(EnvoyPaths),
}

impl Paths {
    /// The path of a request as conditions see it.
    ///
    /// # Errors
    /// No condition sees it: what becomes of the request.
    pub fn read(&self, store: &Store, request: &Request) -> Result<Vec<u8>, Outcome> {
        let refused = |PathRefused(why)| Outcome::Refused(format!("400: {why}"));
        match self {
            Self::AsWritten | Self::AsSent => Ok(request.path.clone()),
            Self::Nginx { merged } => {
                // The line of the request comes before its headers: the server is that of the handshake.
                let name = request.server_name.as_ref().unwrap_or(&request.host);
                let named = Request { host: name.clone(), ..request.clone() };
                let merges = merged.given(&|test| Some(store.get_test(test).holds_of(&named)), &|_| Some(true));
                nginx_path(&request.path, merges == Condition::Always).map_err(refused)
            }
            Self::Envoy(how) => match envoy_path(&request.path, *how).map_err(refused)? {
                (path, false) => Ok(path),
                (path, true) => {
                    let place = String::from_utf8_lossy(&path).into_owned();
                    Err(Outcome::Answered(format!("redirect 307 to {place}")))
                }
            },
        }
    }

    /// What holds of how two listeners read paths.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        match (self, other) {
            (mine, its) if mine == its => self.clone(),
            (Self::Nginx { .. }, Self::Nginx { .. }) => Self::Nginx { merged: Condition::Never },
            (
                Self::AsWritten | Self::AsSent | Self::Nginx { .. } | Self::Envoy(_),
                Self::AsWritten | Self::AsSent | Self::Nginx { .. } | Self::Envoy(_),
            ) => Self::AsWritten,
        }
    }

    /// The texts that conditions may see.
    #[must_use]
    pub fn texts(&self) -> Texts {
        match self {
            Self::AsWritten => Texts::Paths,
            Self::AsSent => Texts::SentPaths { resolved: false, merged: false },
            Self::Nginx { merged } => Texts::DecodedPaths { merged: *merged == Condition::Always },
            Self::Envoy(EnvoyPaths { escaped: _, normalized: true, merged }) => {
                Texts::SentPaths { resolved: true, merged: *merged }
            }
            Self::Envoy(EnvoyPaths { escaped: _, normalized: false, merged: _ }) => Texts::Paths,
        }
    }

    /// A path as it is sent that is read as this one.
    #[must_use]
    pub fn sent(&self, read: &[u8]) -> Vec<u8> {
        match self {
            Self::AsWritten | Self::AsSent | Self::Envoy(_) => read.to_vec(),
            Self::Nginx { merged: _ } => encoded_path(read),
        }
    }
}
