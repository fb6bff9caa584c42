//! The way from a guest to the host that started it: a file that answers.
//!
//! The guest opens `/dev/gavel`, writes a request, and reads the reply. What requests and
//! replies mean is not known here. A world has at most one conversation at a time, however often it is opened.

use super::errno::{Errno, Fault};

/// The most bytes that a request may have.
const MAX_REQUEST_BYTES: usize = 16 << 20;

/// The host's end.
pub(crate) trait Channel: Send {
    /// Answers a request.
    ///
    /// # Errors
    /// Whatever must end the guest. It is thrown through it as it is.
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, wasmtime::Error>;
}

/// One request and its reply.
#[derive(Default)]
pub(super) struct Conversation {
    channel: Option<Box<dyn Channel>>,
    request: Vec<u8>,
    /// The reply, when the request was sent.
    reply: Option<Vec<u8>>,
    /// How much of the reply was read.
    position: usize,
}

impl Conversation {
    /// From now on this end answers, and nothing said before counts.
    pub(super) fn connect(&mut self, channel: Box<dyn Channel>) {
        *self = Self { channel: Some(channel), ..Self::default() };
    }

    /// Takes the end away.
    pub(super) fn disconnect(&mut self) -> Option<Box<dyn Channel>> {
        std::mem::take(self).channel
    }

    /// A new request begins, whatever was said or read before.
    pub(super) fn begin(&mut self) {
        self.request.clear();
        self.reply = None;
        self.position = 0;
    }

    /// Adds to the request; the first bytes after a reply begin a new one.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.reply.take().is_some() {
            self.request.clear();
            self.position = 0;
        }
        if bytes.len() > MAX_REQUEST_BYTES.saturating_sub(self.request.len()) {
            return Err(Errno::FileTooLarge.into());
        }
        self.request.extend_from_slice(bytes);
        Ok(())
    }

    /// Copies what comes next of the reply; asks for it first if nobody has. 0 bytes are the end.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Fault> {
        let channel = self.channel.as_mut().ok_or(Errno::BadDescriptor)?;
        let reply = match &mut self.reply {
            Some(reply) => reply,
            none => {
                let request = std::mem::take(&mut self.request);
                none.insert(channel.call(&request).map_err(Fault::Channel)?)
            }
        };
        let rest = reply.get(self.position..).unwrap_or_default();
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        self.position += count;
        Ok(count)
    }
}
