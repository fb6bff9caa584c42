//! Values that cost much to make, kept as long as there is room, and made once when several ask at a time.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A bounded store. When it is full, what was not used for longest goes first.
pub(super) struct Kept<K, V> {
    most_bytes: usize,
    state: Mutex<State<K, V>>,
    made: Condvar,
}

struct State<K, V> {
    entries: HashMap<K, Entry<V>>,
    being_made: HashSet<K>,
    bytes: usize,
    clock: u64,
}

struct Entry<V> {
    value: Arc<V>,
    bytes: usize,
    used: u64,
}

/// Takes a key out of those being made, however the making ends.
struct Making<'k, K: Eq + Hash + Clone, V> {
    kept: &'k Kept<K, V>,
    key: &'k K,
}

impl<K: Eq + Hash + Clone, V> Kept<K, V> {
    pub(super) fn new(most_bytes: usize) -> Self {
        let state = State { entries: HashMap::new(), being_made: HashSet::new(), bytes: 0, clock: 0 };
        Self { most_bytes, state: Mutex::new(state), made: Condvar::new() }
    }

    /// The value of `key`. When it is not there, `make` gives it with its size in bytes; whoever asks for the same
    /// meanwhile waits for that. A failure is not kept: the next one tries again.
    pub(super) fn get<E>(&self, key: &K, make: impl FnOnce() -> Result<(V, usize), E>) -> Result<Arc<V>, E> {
        let mut state = self.state();
        loop {
            state.clock += 1;
            let now = state.clock;
            if let Some(entry) = state.entries.get_mut(key) {
                entry.used = now;
                return Ok(Arc::clone(&entry.value));
            }
            if state.being_made.insert(key.clone()) {
                break;
            }
            state = self.made.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        let making = Making { kept: self, key };
        let (value, bytes) = make()?;
        let value = Arc::new(value);
        self.state().keep(key, Arc::clone(&value), bytes, self.most_bytes);
        drop(making);
        Ok(value)
    }

    /// Keeps a value that is there already.
    pub(super) fn put(&self, key: &K, value: V, bytes: usize) {
        self.state().keep(key, Arc::new(value), bytes, self.most_bytes);
    }

    /// The state is whole at any moment, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone, V> State<K, V> {
    fn keep(&mut self, key: &K, value: Arc<V>, bytes: usize, most_bytes: usize) {
        if bytes > most_bytes {
            return;
        }
        while self.bytes > most_bytes - bytes {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| self.entries.remove(&key)) else { break };
            self.bytes -= entry.bytes;
        }
        self.bytes += bytes;
        self.entries.insert(key.clone(), Entry { value, bytes, used: self.clock });
    }
}

impl<K: Eq + Hash + Clone, V> Drop for Making<'_, K, V> {
    fn drop(&mut self) {
        self.kept.state().being_made.remove(self.key);
        self.kept.made.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Kept;

    #[test]
    fn several_askers_make_a_value_once() {
        let kept = Kept::new(100);
        let made = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let value = kept.get(&"key", || {
                        made.fetch_add(1, Ordering::Relaxed);
                        std::thread::yield_now();
                        Ok::<_, Infallible>((7, 10))
                    });
                    assert_eq!(value.map(|value| *value), Ok(7));
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let kept = Kept::new(30);
        let get = |key: u32, fresh: bool| {
            let mut made = false;
            let _ = kept.get(&key, || {
                made = true;
                Ok::<_, Infallible>((key, 10))
            });
            assert_eq!(made, fresh, "{key}");
        };
        for key in [1, 2, 3] {
            get(key, true);
        }
        get(1, false);
        get(4, true);
        get(1, false);
        get(2, true);
    }

    #[test]
    fn a_failure_is_tried_again() {
        let kept = Kept::new(30);
        assert_eq!(kept.get(&1, || Err::<(u8, usize), _>("no")).map(|value| *value), Err("no"));
        assert_eq!(kept.get(&1, || Ok::<_, &str>((5, 31))).map(|value| *value), Ok(5));
        // Too large to be kept at all.
        assert_eq!(kept.get(&1, || Err::<(u8, usize), _>("again")).map(|value| *value), Err("again"));
    }
}
