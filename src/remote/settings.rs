//! Which servers, and how patient their callers are.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::error::{RemoteError, RemoteErrorKind};

/// What a server is asked for: the label of metrics, and the beginning of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Completions to be trained on.
    Rollout,
    /// Verdicts of a language model.
    Judge,
    /// Scores of a reward model.
    External,
}

impl Service {
    /// Its name in metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rollout => "rollout engine",
            Self::Judge => "judge model",
            Self::External => "reward model",
        }
    }

    /// Its label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rollout => "rollout",
            Self::Judge => "judge",
            Self::External => "external",
        }
    }
}

/// Which servers, and how patient their callers are.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What they are asked for.
    pub service: Service,
    /// Where they are: `http://host:port`, with a path in front of all others where there is one. A `/v1` at the end
    /// is left out, since the calls name it.
    pub urls: Vec<String>,
    /// The environment variable that holds the key, sent as `Authorization: Bearer …`. The key itself never stands in
    /// a setting, a message or a log.
    pub api_key_env: Option<String>,
    /// Requests that one server is sent at a time.
    pub concurrency: usize,
    /// Time to reach a server.
    pub connect_timeout: Duration,
    /// Time for one try, from the first byte sent to the last one read.
    pub timeout: Duration,
    /// Time for a whole call: waiting for a free server, all tries, and the pauses between them.
    pub deadline: Duration,
    /// Tries after the first.
    pub retries: u32,
    /// The longest pause before the second try; it doubles with each further one. The pause itself is drawn evenly
    /// from zero to that ("full jitter").
    pub backoff: Duration,
    /// What it doubles up to.
    pub backoff_max: Duration,
    /// Further tries that all calls together may have: so many at once, and so many more for each call. An outage
    /// then costs the servers little more than the calls themselves.
    pub retry_budget: (f64, f64),
    /// The most bytes of a reply.
    pub max_reply_bytes: usize,
    /// When a server is left alone.
    pub breaker: BreakerSettings,
    /// Whether a call fails at once when all servers are left alone for their faults; else it waits.
    pub fail_fast: bool,
}

/// When a server is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSettings {
    /// The last calls that count.
    pub window: usize,
    /// The fewest failures among them.
    pub min_failures: usize,
    /// The share of them that must have failed.
    pub share: f64,
    /// How long it is left alone; then one call tries. Doubles while that call fails.
    pub rest: Duration,
    /// What it doubles up to.
    pub rest_max: Duration,
}

impl Default for BreakerSettings {
    /// Half of the last 20, at least 4; one second up to 30.
    fn default() -> Self {
        Self {
            window: 20,
            min_failures: 4,
            share: 0.5,
            rest: Duration::from_secs(1),
            rest_max: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// Patient defaults for these servers: a minute for each try, three further tries, five minutes in all.
    pub fn new(service: Service, urls: Vec<String>) -> Self {
        Self {
            service,
            urls,
            api_key_env: None,
            concurrency: 32,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            deadline: Duration::from_secs(300),
            retries: 3,
            backoff: Duration::from_millis(250),
            backoff_max: Duration::from_secs(10),
            retry_budget: (20.0, 0.5),
            max_reply_bytes: 16 << 20,
            breaker: BreakerSettings::default(),
            fail_fast: true,
        }
    }

    /// The servers' addresses, without the slash or the `/v1` at their end.
    ///
    /// # Errors
    /// When there is none, one is no HTTP address, or it holds a name and password or a query.
    pub fn bases(&self) -> Result<Vec<Url>, RemoteError> {
        if self.urls.is_empty() {
            return Err(
                self.wrong("", "no address is given; name at least one, such as http://127.0.0.1:8000")
            );
        }
        self.urls.iter().map(|text| self.base(text)).collect()
    }

    fn base(&self, text: &str) -> Result<Url, RemoteError> {
        // Nothing of an address that may hold a password is repeated.
        let mut url = Url::parse(text.trim()).map_err(|error| {
            self.wrong("", format!("an address cannot be read ({error}); write it as http://host:port"))
        })?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(self.wrong("", "an address does not begin with http:// or https:// and a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let message =
                "an address holds a name or password; name the environment variable with the key instead";
            return Err(self.wrong("", message));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(
                self.wrong(text, "the address has a query or fragment; only a path may follow the host")
            );
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        url.set_path(&path);
        Ok(url)
    }

    /// The header with the key; `None` where no variable is named.
    ///
    /// # Errors
    /// When the variable is not set, or holds what cannot stand in a header.
    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, RemoteError> {
        let Some(name) = &self.api_key_env else { return Ok(None) };
        let key = std::env::var(name).ok().filter(|key| !key.trim().is_empty()).ok_or_else(|| {
            self.wrong("", format!("the environment variable {name} with its key is not set"))
        })?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.trim())).map_err(|_| {
            self.wrong("", format!("the environment variable {name} holds characters that no key has"))
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    pub(super) fn wrong(&self, url: &str, message: impl Into<String>) -> RemoteError {
        RemoteError::new(self.service, RemoteErrorKind::Settings, url, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(url: &str) -> Result<String, String> {
        let settings = Settings::new(Service::Rollout, vec![url.to_owned()]);
        settings.bases().map(|all| all[0].to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_read() {
        for (text, base) in [
            ("http://a:8000", "http://a:8000/"),
            ("http://a:8000/", "http://a:8000/"),
            (" http://a:8000/v1 ", "http://a:8000/"),
            ("https://a/models/x/v1/", "https://a/models/x"),
        ] {
            assert_eq!(bases(text).as_deref(), Ok(base), "{text}");
        }
        for text in
            ["", "a:8000", "localhost", "ftp://a", "http://", "http://u:secret@a", "http://a?x=secret"]
        {
            assert!(bases(text).is_err(), "{text}");
        }
        assert!(!bases("http://u:secret@a").unwrap_err().contains("secret"));
        assert!(Settings::new(Service::Judge, Vec::new()).bases().is_err());
    }

    #[test]
    fn a_key_that_is_missing_is_told_by_its_variable() {
        let mut settings = Settings::new(Service::Judge, vec!["http://a".to_owned()]);
        assert!(settings.authorization().unwrap().is_none());
        settings.api_key_env = Some("GAVEL_TEST_NO_SUCH_KEY".to_owned());
        let error = settings.authorization().unwrap_err().to_string();
        assert!(
            error.contains("GAVEL_TEST_NO_SUCH_KEY is not set") || error.contains("is not set"),
            "{error}"
        );
    }
}
