//! Time, which in here is fuel.
//!
//! Both clocks stand at a fixed instant when an instance starts and advance with the fuel it has burnt; nothing else
//! moves them. Sleeping burns the fuel that the sleep is worth. What the host does for a guest costs fuel as well, so
//! that a guest cannot have the host work for nothing. The host's own clocks are never read.

use super::Stop;

/// What the realtime clock says at the start, in nanoseconds since 1970: the first of January 2026, in UTC.
pub(super) const REALTIME_START: u64 = 1_767_225_600_000_000_000;
/// What the monotonic clock says at the start, in nanoseconds.
const MONOTONIC_START: u64 = 1_000_000_000;
/// The resolution the clocks claim, in nanoseconds.
pub(super) const RESOLUTION: u64 = 1_000;

/// Fuel that every system call costs: about what it takes to enter and to leave the host.
pub(super) const CALL_FUEL: u64 = 1_000;
/// Fuel for each byte that a call copies, fills or makes room for: as much as the guest's own `memory.copy` costs.
pub(super) const BYTE_FUEL: u64 = 1;
/// Fuel for each look into a folder: one name of a path, one entry of a listing.
pub(super) const LOOKUP_FUEL: u64 = 500;
/// Fuel for each `iovec` and each subscription.
pub(super) const SPAN_FUEL: u64 = 50;

/// Which of the guest's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockId {
    /// Since 1970.
    Realtime,
    /// Since some moment.
    Monotonic,
    /// Time used by the process or its only thread.
    Cpu,
}

impl ClockId {
    /// The clock of that number.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Realtime),
            1 => Some(Self::Monotonic),
            2 | 3 => Some(Self::Cpu),
            _ => None,
        }
    }
}

/// The fuel of one instance, and the time it stands for.
#[derive(Debug)]
pub(super) struct Clock {
    fuel_per_ms: u64,
    at_start: u64,
    left: u64,
}

impl Clock {
    /// A clock that gains a millisecond for each `fuel_per_ms` of fuel; for 0 it stands still.
    pub(super) fn new(fuel_per_ms: u64) -> Self {
        Self { fuel_per_ms, at_start: 0, left: 0 }
    }

    /// The instance starts with this much fuel.
    pub(super) fn start(&mut self, fuel: u64) {
        self.at_start = fuel;
        self.left = fuel;
    }

    /// What the store says is left.
    pub(super) fn set_left(&mut self, fuel: u64) {
        self.left = fuel;
    }

    /// What is left after the charges of this call.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Burns fuel.
    pub(super) fn spend(&mut self, fuel: u64) -> Result<(), Stop> {
        let left = self.left.checked_sub(fuel);
        self.left = left.unwrap_or(0);
        left.map(drop).ok_or(Stop::OutOfFuel)
    }

    /// Lets `nanos` pass.
    pub(super) fn sleep(&mut self, nanos: u64) -> Result<(), Stop> {
        let fuel = (u128::from(nanos) * u128::from(self.fuel_per_ms)).div_ceil(1_000_000);
        self.spend(u64::try_from(fuel).unwrap_or(u64::MAX))
    }

    /// What a clock says, in nanoseconds.
    pub(super) fn now(&self, clock: ClockId) -> u64 {
        let used = u128::from(self.at_start.saturating_sub(self.left));
        let nanos = (used * 1_000_000).checked_div(u128::from(self.fuel_per_ms)).unwrap_or(0);
        let start = match clock {
            ClockId::Realtime => REALTIME_START,
            ClockId::Monotonic => MONOTONIC_START,
            ClockId::Cpu => 0,
        };
        start.saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
