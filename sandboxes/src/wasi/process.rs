//! System calls on nothing that is open: arguments, clocks, random bytes, waiting and ending.

use super::clock::{BYTE_FUEL, ClockId, RESOLUTION, SPAN_FUEL};
use super::descriptors::Target;
use super::errno::{Errno, Fault};
use super::memory::Memory;
use super::{Stop, World};

/// The most subscriptions of one call.
const MAX_SUBSCRIPTIONS: u32 = 4096;
/// Size of a subscription in bytes.
const SUBSCRIPTION_BYTES: u32 = 48;
/// Size of an event in bytes.
const EVENT_BYTES: usize = 32;
/// What the code of a program that a signal ended is above the signal's number, as in a shell.
const SIGNAL_EXIT: i32 = 128;

/// One thing that a guest waits for.
struct Subscription {
    userdata: [u8; 8],
    tag: u8,
    awaited: Awaited,
}

/// What it is.
enum Awaited {
    /// That so many nanoseconds pass.
    Clock { nanos: u64 },
    /// That a descriptor can be read or written, which it always can.
    Descriptor { fd: u32 },
}

impl World {
    pub(super) fn args_sizes_get(
        &mut self,
        memory: &mut Memory<'_>,
        count: u32,
        bytes: u32,
    ) -> Result<(), Fault> {
        let total: usize = self.args.iter().map(|arg| arg.len() + 1).sum();
        memory.store_u32(count, u32::try_from(self.args.len()).map_err(|_| Errno::Overflow)?)?;
        memory.store_u32(bytes, u32::try_from(total).map_err(|_| Errno::Overflow)?)
    }

    pub(super) fn args_get(
        &mut self,
        memory: &mut Memory<'_>,
        offsets: u32,
        buffer: u32,
    ) -> Result<(), Fault> {
        let bytes: usize = self.args.iter().map(|arg| arg.len() + 5).sum();
        self.charge(BYTE_FUEL * bytes as u64)?;
        memory.store_strings(offsets, buffer, &self.args)
    }

    /// The environment is empty.
    pub(super) fn environ_sizes_get(memory: &mut Memory<'_>, count: u32, bytes: u32) -> Result<(), Fault> {
        memory.store_u32(count, 0)?;
        memory.store_u32(bytes, 0)
    }

    pub(super) fn clock_res_get(memory: &mut Memory<'_>, clock: u32, resolution: u32) -> Result<(), Fault> {
        ClockId::from_number(clock).ok_or(Errno::Invalid)?;
        memory.store_u64(resolution, RESOLUTION)
    }

    pub(super) fn clock_time_get(
        &mut self,
        memory: &mut Memory<'_>,
        clock: u32,
        time: u32,
    ) -> Result<(), Fault> {
        let clock = ClockId::from_number(clock).ok_or(Errno::Invalid)?;
        memory.store_u64(time, self.clock.now(clock))
    }

    pub(super) fn random_get(
        &mut self,
        memory: &mut Memory<'_>,
        buffer: u32,
        length: u32,
    ) -> Result<(), Fault> {
        let bytes = memory.bytes_mut(buffer, length)?;
        self.charge(2 * BYTE_FUEL * u64::from(length))?;
        self.random.fill(bytes);
        Ok(())
    }

    pub(super) fn poll_oneoff(
        &mut self,
        memory: &mut Memory<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        n_events: u32,
    ) -> Result<(), Fault> {
        if count == 0 || count > MAX_SUBSCRIPTIONS {
            return Err(Errno::Invalid.into());
        }
        self.charge(SPAN_FUEL * u64::from(count))?;
        memory.store_u32(n_events, 0)?;
        let list = memory.bytes(subscriptions, count * SUBSCRIPTION_BYTES)?;
        let waiting: Vec<Subscription> = list
            .chunks_exact(SUBSCRIPTION_BYTES as usize)
            .map(|bytes| self.subscription(bytes))
            .collect::<Result<_, _>>()?;
        // A descriptor is always ready, so nobody waits for the clock beside one.
        let nanos = waiting
            .iter()
            .map(|subscription| match subscription.awaited {
                Awaited::Clock { nanos } => nanos,
                Awaited::Descriptor { .. } => 0,
            })
            .min()
            .unwrap_or(0);
        self.clock.sleep(nanos)?;
        let mut ready = Vec::new();
        for subscription in &waiting {
            match subscription.awaited {
                Awaited::Clock { nanos: later } if later > nanos => {}
                Awaited::Clock { .. } => ready.extend_from_slice(&event(subscription, 0, 0)),
                Awaited::Descriptor { fd } => {
                    let (errno, available) = self.readiness(fd, subscription.tag);
                    ready.extend_from_slice(&event(subscription, errno, available));
                }
            }
        }
        memory.store(events, &ready)?;
        memory.store_u32(n_events, (ready.len() / EVENT_BYTES) as u32)
    }

    pub(super) fn proc_exit(code: u32) -> Fault {
        Stop::Exit(code.cast_signed()).into()
    }

    /// There is nobody to handle a signal: every one ends the guest.
    pub(super) fn proc_raise(signal: u32) -> Result<(), Fault> {
        match signal {
            0 => Ok(()),
            1..=30 => Err(Stop::Exit(SIGNAL_EXIT + signal.cast_signed()).into()),
            _ => Err(Errno::Invalid.into()),
        }
    }

    fn subscription(&self, bytes: &[u8]) -> Result<Subscription, Errno> {
        let word = |at: usize| -> Result<[u8; 8], Errno> {
            bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).ok_or(Errno::Fault)
        };
        let number = |at: usize| Ok::<u32, Errno>(u64::from_le_bytes(word(at)?) as u32);
        let tag = word(8)?[0];
        let awaited = match tag {
            0 => {
                let clock = ClockId::from_number(number(16)?).ok_or(Errno::Invalid)?;
                let timeout = u64::from_le_bytes(word(24)?);
                let is_absolute = number(40)? & 1 != 0;
                let nanos = if is_absolute { timeout.saturating_sub(self.clock.now(clock)) } else { timeout };
                Awaited::Clock { nanos }
            }
            1 | 2 => Awaited::Descriptor { fd: number(16)? },
            _ => return Err(Errno::Invalid),
        };
        Ok(Subscription { userdata: word(0)?, tag, awaited })
    }

    /// The error of waiting for a descriptor, and how many bytes can be read or written.
    fn readiness(&self, fd: u32, tag: u8) -> (u16, u64) {
        let Ok(descriptor) = self.descriptors.get(fd) else {
            return (Errno::BadDescriptor as u16, 0);
        };
        let size = match descriptor.target {
            Target::Input if tag == 1 => self.stdin.len() as u64,
            Target::File(inode) if tag == 1 => self.files.status(inode).map_or(0, |status| status.size),
            _ => return (0, 1),
        };
        (0, size.saturating_sub(descriptor.position))
    }
}

/// An event in the layout of preview 1.
fn event(subscription: &Subscription, errno: u16, available: u64) -> [u8; EVENT_BYTES] {
    let mut bytes = [0; EVENT_BYTES];
    bytes[..8].copy_from_slice(&subscription.userdata);
    bytes[8..10].copy_from_slice(&errno.to_le_bytes());
    bytes[10] = subscription.tag;
    bytes[16..24].copy_from_slice(&available.to_le_bytes());
    bytes
}
