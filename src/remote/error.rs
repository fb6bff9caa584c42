//! Why a call to another server came to nothing.

use super::settings::Service;

/// Why a call to another server came to nothing: what, where, and what can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteError {
    /// What was asked for.
    pub service: Service,
    /// The kind of fault.
    pub kind: RemoteErrorKind,
    /// The server and path that failed last; empty where none was asked.
    pub url: String,
    /// The HTTP status, where one came.
    pub status: Option<u16>,
    /// What happened.
    pub message: String,
    /// How often it was tried.
    pub n_tries: u32,
}

/// The kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteErrorKind {
    /// A setting cannot be used.
    Settings,
    /// The server could not be reached, or the connection broke.
    Connection,
    /// It took too long.
    Timeout,
    /// The server has too much to do: 429.
    Busy,
    /// The server failed: 5xx.
    Server,
    /// The server refuses the request: 4xx.
    Refused,
    /// The server answers from elsewhere; no other place is asked.
    Redirect,
    /// The reply is longer than it may be.
    TooLarge,
    /// The reply is no JSON of the expected shape.
    Malformed,
    /// All servers are left alone for their faults.
    Resting,
    /// The time of the whole call is over.
    Deadline,
}

impl RemoteErrorKind {
    /// The label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Server => "server",
            Self::Refused => "refused",
            Self::Redirect => "redirect",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Resting => "resting",
            Self::Deadline => "deadline",
        }
    }

    /// Whether another try may succeed.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Connection | Self::Timeout | Self::Busy | Self::Server)
    }

    /// Whether it says that something is wrong with the server, and not with the request or the load.
    pub(super) const fn is_the_servers(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::Timeout
                | Self::Server
                | Self::Redirect
                | Self::TooLarge
                | Self::Malformed
        )
    }

    /// What can be done.
    const fn advice(self) -> &'static str {
        match self {
            Self::Settings | Self::Malformed | Self::Deadline => "",
            Self::Connection => "is it running, and is the address right?",
            Self::Timeout => "allow more time, or fewer requests at once",
            Self::Busy => "allow fewer requests at once, or more tries",
            Self::Server | Self::Resting => "its own log says more",
            Self::Refused => "the same request would be refused again",
            Self::Redirect => "give the address that it points to, if it is trusted",
            Self::TooLarge => "no more than that is read",
        }
    }
}

impl RemoteError {
    /// An error of a call that was not tried.
    pub fn new(
        service: Service,
        kind: RemoteErrorKind,
        url: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { service, kind, url: url.into(), status: None, message: message.into(), n_tries: 0 }
    }
}

impl std::error::Error for RemoteError {}

impl std::fmt::Display for RemoteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.service.name())?;
        if !self.url.is_empty() {
            write!(f, " at {}", self.url)?;
        }
        write!(f, ": {}", self.message)?;
        if self.n_tries > 1 {
            write!(f, " (tried {} times)", self.n_tries)?;
        }
        match self.kind.advice() {
            "" => Ok(()),
            advice => write!(f, "; {advice}"),
        }
    }
}
