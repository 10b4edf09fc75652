//! The work queue of one controller.
//!
//! A key is in the queue at most once, is worked on by at most one worker, and is queued again when it was added
//! while being worked on. Delays come from outcomes (`add_after`) and from failures (`add_failed`, exponential).

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::{Clock, after};
use crate::store::Key;

/// How long failed keys wait: doubled per failure, between two bounds.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Wait after the first failure.
    pub min: Duration,
    /// Longest wait.
    pub max: Duration,
}

impl Default for Backoff {
    /// 750 ms to 15 min, as upstream's `--min-retry-delay` and `--max-retry-delay`.
    fn default() -> Self {
        Self {
            min: Duration::from_millis(750),
            max: Duration::from_secs(15 * 60),
        }
    }
}

impl Backoff {
    /// Returns the wait after so many failures in a row, the first being 1.
    pub fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        self.min.saturating_mul(1 << doublings).min(self.max)
    }
}

/// A work queue; clones share it.
#[derive(Clone)]
pub struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Wakes everyone who waits; all register before they look at the state.
    changed: Notify,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
}

#[derive(Default)]
struct State {
    /// Keys to hand out, in order; exactly those of `dirty` that are not in `processing`.
    ready: VecDeque<Key>,
    dirty: HashSet<Key>,
    processing: HashSet<Key>,
    /// Keys with their due times, both ways round; one time per key.
    delayed: BTreeSet<(Timestamp, Key)>,
    due: HashMap<Key, Timestamp>,
    failures: HashMap<Key, u32>,
    closed: bool,
}

impl Queue {
    /// Starts empty.
    pub fn new(clock: Arc<dyn Clock>, backoff: Backoff) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: Notify::new(),
                clock,
                backoff,
            }),
        }
    }

    /// Queues a key now.
    pub fn add(&self, key: Key) {
        self.shared.state.lock().push(key);
        self.shared.changed.notify_waiters();
    }

    /// Queues a key after a delay; of two delays the earlier stays.
    pub fn add_after(&self, key: Key, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        let due = after(self.shared.clock.now(), delay);
        let mut state = self.shared.state.lock();
        if state.due.get(&key).is_some_and(|present| *present <= due) {
            return;
        }
        state.forget_delay(&key);
        state.delayed.insert((due, key.clone()));
        state.due.insert(key, due);
        drop(state);
        self.shared.changed.notify_waiters();
    }

    /// Queues a key after its back-off, which grows with every call until [`Queue::forget`]; returns the delay.
    pub fn add_failed(&self, key: Key) -> Duration {
        let failures = {
            let mut state = self.shared.state.lock();
            let failures = state.failures.entry(key.clone()).or_insert(0);
            *failures += 1;
            *failures
        };
        let delay = self.shared.backoff.delay(failures);
        self.add_after(key, delay);
        delay
    }

    /// Resets the back-off of a key.
    pub fn forget(&self, key: &Key) {
        self.shared.state.lock().failures.remove(key);
    }

    /// Takes the next key; waits for one. `None` once the queue is closed.
    ///
    /// Until [`Queue::done`] nobody else gets the key.
    pub async fn next(&self) -> Option<Key> {
        loop {
            let notified = self.shared.changed.notified();
            tokio::pin!(notified);
            // Registered before the look, so that nothing in between is missed.
            notified.as_mut().enable();
            let earliest = {
                let mut state = self.shared.state.lock();
                if state.closed {
                    return None;
                }
                state.promote(self.shared.clock.now());
                if let Some(key) = state.take() {
                    return Some(key);
                }
                state.delayed.first().map(|(due, _)| *due)
            };
            match earliest {
                Some(due) => {
                    tokio::select! {
                        () = notified => {}
                        () = self.shared.clock.sleep_until(due) => {}
                    }
                }
                None => notified.await,
            }
        }
    }

    /// Gives a key back; it is queued again where it was added meanwhile.
    pub fn done(&self, key: &Key) {
        let mut state = self.shared.state.lock();
        state.processing.remove(key);
        if state.dirty.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.shared.changed.notify_waiters();
        }
    }

    /// Waits until a key that is being worked on is added again.
    pub async fn superseded(&self, key: &Key) {
        loop {
            let notified = self.shared.changed.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.shared.state.lock().dirty.contains(key) {
                return;
            }
            notified.await;
        }
    }

    /// Tells whether a key is being worked on.
    pub fn is_processing(&self, key: &Key) -> bool {
        self.shared.state.lock().processing.contains(key)
    }

    /// Returns how many keys wait to be handed out.
    pub fn len(&self) -> usize {
        self.shared.state.lock().ready.len()
    }

    /// Tells whether nothing is queued, delayed keys aside.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells whether nothing is queued and nothing is worked on, delayed keys aside.
    pub fn is_idle(&self) -> bool {
        let state = self.shared.state.lock();
        state.ready.is_empty() && state.processing.is_empty()
    }

    /// Ends all waiting.
    pub fn close(&self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_waiters();
    }
}

impl State {
    fn push(&mut self, key: Key) {
        if !self.dirty.insert(key.clone()) {
            return;
        }
        if !self.processing.contains(&key) {
            self.ready.push_back(key);
        }
    }

    fn promote(&mut self, now: Timestamp) {
        while let Some((due, _)) = self.delayed.first()
            && *due <= now
        {
            let (_, key) = self.delayed.pop_first().expect("looked at it just above");
            self.due.remove(&key);
            self.push(key);
        }
    }

    fn take(&mut self) -> Option<Key> {
        let key = self.ready.pop_front()?;
        self.dirty.remove(&key);
        self.forget_delay(&key);
        self.processing.insert(key.clone());
        Some(key)
    }

    fn forget_delay(&mut self, key: &Key) {
        if let Some(due) = self.due.remove(key) {
            self.delayed.remove(&(due, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::VirtualClock;
    use futures::FutureExt;

    fn queue() -> (Queue, Arc<VirtualClock>) {
        let clock = Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH));
        (Queue::new(clock.clone(), Backoff::default()), clock)
    }

    fn key(name: &str) -> Key {
        Key::new("ns", name)
    }

    fn next(queue: &Queue) -> Option<String> {
        queue.next().now_or_never().flatten().map(|key| key.name)
    }

    #[test]
    fn equal_keys_are_queued_once_and_never_twice_at_work() {
        let (queue, _) = queue();
        queue.add(key("a"));
        queue.add(key("a"));
        queue.add(key("b"));
        assert_eq!(next(&queue).as_deref(), Some("a"));
        queue.add(key("a"));
        assert_eq!(next(&queue).as_deref(), Some("b"));
        assert_eq!(next(&queue), None);
        queue.done(&key("a"));
        assert_eq!(next(&queue).as_deref(), Some("a"));
    }

    #[test]
    fn delays_end_with_the_clock_and_the_earlier_stays() {
        let (queue, clock) = queue();
        queue.add_after(key("a"), Duration::from_secs(10));
        queue.add_after(key("a"), Duration::from_secs(60));
        assert_eq!(next(&queue), None);
        clock.advance(Duration::from_secs(10));
        assert_eq!(next(&queue).as_deref(), Some("a"));
        queue.done(&key("a"));
        clock.advance(Duration::from_secs(60));
        assert_eq!(next(&queue), None);
    }

    #[test]
    fn failures_back_off_until_forgotten() {
        let (queue, _) = queue();
        let delays: Vec<_> = (0..3)
            .map(|_| {
                let delay = queue.add_failed(key("a"));
                assert_eq!(next(&queue), None);
                delay.as_millis()
            })
            .collect();
        assert_eq!(delays, [750, 1500, 3000]);
        queue.forget(&key("a"));
        assert_eq!(queue.add_failed(key("a")).as_millis(), 750);
        assert_eq!(Backoff::default().delay(60).as_secs(), 900);
    }

    #[test]
    fn a_closed_queue_hands_out_nothing() {
        let (queue, _) = queue();
        queue.add(key("a"));
        queue.close();
        assert_eq!(queue.next().now_or_never(), Some(None));
    }
}
