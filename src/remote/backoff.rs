//! How long to wait before another try, and whether there may be one.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;

/// No server makes a caller wait longer than this, whatever it says.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The longest pause before try `n` (1 is the second): `first`, doubled each time, at most `most`.
pub(super) fn ceiling(n: u32, first: Duration, most: Duration) -> Duration {
    let doubled = 1_u32.checked_shl(n.saturating_sub(1)).and_then(|times| first.checked_mul(times));
    doubled.unwrap_or(most).min(most)
}

/// Evenly from zero to `ceiling` ("full jitter", Brooker 2015): callers that failed together do not come back together.
pub(super) fn jitter(ceiling: Duration) -> Duration {
    // Without random bytes the pause is the longest one.
    let share = getrandom::u32().map_or(1.0, |draw| f64::from(draw) / f64::from(u32::MAX));
    ceiling.mul_f64(share)
}

/// What `Retry-After` says (RFC 9110, section 10.2.3): seconds or a date. At most five minutes.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse::<f64>() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        SystemTime::from(date).duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Further tries that all calls together have left: a bucket that each call fills by a share and each further try
/// empties by one. In an outage the tries end with it, while single faults always find something in it.
#[derive(Debug)]
pub(super) struct RetryBudget {
    most: f64,
    per_call: f64,
    left: Mutex<f64>,
}

impl RetryBudget {
    pub(super) fn new((most, per_call): (f64, f64)) -> Self {
        Self { most, per_call, left: Mutex::new(most) }
    }

    pub(super) fn deposit(&self) {
        let mut left = self.left.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *left = (*left + self.per_call).min(self.most);
    }

    /// Whether there may be another try.
    pub(super) fn withdraw(&self) -> bool {
        let mut left = self.left.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_their_bound() {
        let (first, most) = (Duration::from_millis(250), Duration::from_secs(2));
        let found: Vec<u128> = (1..6).map(|n| ceiling(n, first, most).as_millis()).collect();
        assert_eq!(found, [250, 500, 1000, 2000, 2000]);
        assert_eq!(ceiling(u32::MAX, first, most), most);
        assert!((0..100).all(|_| jitter(first) <= first));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, seconds) in [
            ("2", Some(2.0)),
            ("0.5", Some(0.5)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10.0)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0.0)),
            ("1e9", Some(300.0)),
            ("-3", None),
            ("soon", None),
            ("inf", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", text.parse().unwrap());
            assert_eq!(retry_after(&headers, now).map(|wait| wait.as_secs_f64()), seconds, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn an_outage_uses_the_tries_up() {
        let budget = RetryBudget::new((3.0, 0.5));
        assert_eq!((0..5).filter(|_| budget.withdraw()).count(), 3);
        budget.deposit();
        assert!(!budget.withdraw());
        budget.deposit();
        assert!(budget.withdraw());
        (0..100).for_each(|_| budget.deposit());
        assert_eq!((0..5).filter(|_| budget.withdraw()).count(), 3);
    }
}
