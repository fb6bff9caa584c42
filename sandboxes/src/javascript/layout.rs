//! How the engine lays out what the host reads of it without asking: values, flat strings, the class of an object, the
//! state of a promise; and the places in the guest's memory that the host keeps for itself.
//!
//! It holds for the one version of the engine that the manifest pins; the snapshot is not made when it does not.
//! Nothing here trusts the memory: what does not fit is `None`.

/// Bytes of the transfer buffer behind its answers.
pub(super) const TRANSFER_BYTES: u32 = 1 << 16;
/// Bytes of the answers before them: four numbers.
pub(super) const ANSWER_BYTES: u32 = 16;
/// The longest path, in bytes and characters.
pub(super) const PATH_MAX: usize = 4096;
/// The longest message to another instance, in bytes and characters.
pub(super) const MESSAGE_MAX: usize = 16 << 20;

/// The engine's own stack begins at address 0 and is not used once the snapshot has another. Here is the address of
/// the transfer buffer.
const TRANSFER_SLOT: u32 = 4096;
/// How many rejections of promises wait to be looked at, and behind that the rejections.
const REJECTIONS: u32 = 8192;
/// The most of them. More are forgotten, which takes so many unhandled ones that the program ends anyway.
const REJECTIONS_MAX: u32 = 4096;
const REJECTION_BYTES: u32 = 12;

/// The tags of values, in the upper half of their 64 bits.
mod tag {
    pub(super) const STRING: i32 = -7;
    pub(super) const ROPE: i32 = -6;
    pub(super) const OBJECT: i32 = -1;
    pub(super) const INT: i32 = 0;
    pub(super) const BOOL: i32 = 1;
    pub(super) const LAST: i32 = 8;
    pub(super) const FIRST: i32 = -10;
}
/// What is added to the bits of a float so that no other value looks like one.
const FLOAT_ADDEND: u64 = 0x7ff8_000a << 32;
/// Where a string's characters are, and the bit of its length that says that they take two bytes each.
const STRING_CHARACTERS: u32 = 24;
const STRING_IS_WIDE: u32 = 1 << 31;
/// Where an object's class is, and its data.
const OBJECT_CLASS: u32 = 10;
const OBJECT_DATA: u32 = 24;
/// Where a promise's result is in its data; the state is at its beginning.
const PROMISE_RESULT: u32 = 24;
/// Where the number of references is, before what is referred to.
const REFERENCES_BEFORE: u32 = 4;

/// A guest's memory.
pub(super) struct Memory<'m> {
    bytes: &'m mut [u8],
}

/// A string of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text<'m> {
    /// A byte for each of its characters, in Latin-1.
    Narrow(&'m [u8]),
    /// Two bytes for each of its code units, in UTF-16.
    Wide(&'m [u8]),
    /// Pieces, which are not read here.
    Rope,
}

impl Text<'_> {
    /// How many code units it has.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Narrow(bytes) => bytes.len(),
            Self::Wide(bytes) => bytes.len() / 2,
            Self::Rope => 0,
        }
    }

    /// The first `most` of its code units in UTF-8. Halves of characters become U+FFFD, as in Node's output.
    pub(super) fn to_utf8(self, most: usize) -> Vec<u8> {
        match self {
            Self::Narrow(bytes) => {
                let bytes = &bytes[..bytes.len().min(most)];
                if bytes.is_ascii() {
                    return bytes.to_vec();
                }
                bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()
            }
            Self::Wide(bytes) => {
                let units =
                    bytes.chunks_exact(2).take(most).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                char::decode_utf16(units)
                    .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect::<String>()
                    .into_bytes()
            }
            Self::Rope => Vec::new(),
        }
    }
}

impl<'m> Memory<'m> {
    pub(super) fn new(bytes: &'m mut [u8]) -> Self {
        Self { bytes }
    }

    fn slice(&self, address: u32, length: u32) -> Option<&[u8]> {
        let start = address as usize;
        self.bytes.get(start..start.checked_add(length as usize)?)
    }

    fn slice_mut(&mut self, address: u32, length: u32) -> Option<&mut [u8]> {
        let start = address as usize;
        self.bytes.get_mut(start..start.checked_add(length as usize)?)
    }

    fn array<const N: usize>(&self, address: u32) -> Option<[u8; N]> {
        self.slice(address, N as u32)?.try_into().ok()
    }

    pub(super) fn word(&self, address: u32) -> Option<u32> {
        self.array(address).map(u32::from_le_bytes)
    }

    pub(super) fn set_word(&mut self, address: u32, word: u32) -> Option<()> {
        self.slice_mut(address, 4)?.copy_from_slice(&word.to_le_bytes());
        Some(())
    }

    fn bits(&self, address: u32) -> Option<u64> {
        self.array(address).map(u64::from_le_bytes)
    }

    /// The tag and the lower half of the value at an address.
    fn value(&self, address: u32) -> Option<(i32, u32)> {
        let bits = self.bits(address)?;
        Some(((bits >> 32) as i32, bits as u32))
    }

    /// The number that a value is.
    pub(super) fn number(&self, address: u32) -> Option<f64> {
        let bits = self.bits(address)?;
        match (bits >> 32) as i32 {
            tag::INT | tag::BOOL => Some(f64::from(bits as i32)),
            other if (tag::FIRST..=tag::LAST).contains(&other) => None,
            _ => Some(f64::from_bits(bits.wrapping_add(FLOAT_ADDEND))),
        }
    }

    /// The string that a value is.
    pub(super) fn text(&self, address: u32) -> Option<Text<'_>> {
        match self.value(address)? {
            (tag::ROPE, _) => Some(Text::Rope),
            (tag::STRING, string) => {
                let head = self.word(string)?;
                let length = head & !STRING_IS_WIDE;
                let characters = string.checked_add(STRING_CHARACTERS)?;
                if head & STRING_IS_WIDE == 0 {
                    self.slice(characters, length).map(Text::Narrow)
                } else {
                    self.slice(characters, length.checked_mul(2)?).map(Text::Wide)
                }
            }
            _ => None,
        }
    }

    /// The number of an object's class; 0 for what is no object.
    pub(super) fn class(&self, address: u32) -> Option<i32> {
        match self.value(address)? {
            (tag::OBJECT, object) => self
                .array(object.checked_add(OBJECT_CLASS)?)
                .map(|class| i32::from(u16::from_le_bytes(class))),
            _ => Some(0),
        }
    }

    fn promise(&self, address: u32) -> Option<u32> {
        match self.value(address)? {
            (tag::OBJECT, object) => self.word(object.checked_add(OBJECT_DATA)?),
            _ => None,
        }
    }

    /// Whether a promise is pending (0), fulfilled (1) or rejected (2).
    pub(super) fn promise_state(&self, address: u32) -> Option<i32> {
        Some(self.word(self.promise(address)?)?.cast_signed())
    }

    /// Makes the value at `holder` another reference to a promise's result.
    pub(super) fn share_promise_result(&mut self, promise: u32, holder: u32) -> Option<()> {
        let bits = self.bits(self.promise(promise)?.checked_add(PROMISE_RESULT)?)?;
        let kind = (bits >> 32) as i32;
        if (tag::FIRST..0).contains(&kind) {
            let references = (bits as u32).checked_sub(REFERENCES_BEFORE)?;
            let count = self.word(references)?;
            self.set_word(references, count.wrapping_add(1))?;
        }
        self.slice_mut(holder, 8)?.copy_from_slice(&bits.to_le_bytes());
        Some(())
    }

    /// Leaves the answer of a host function.
    pub(super) fn answer(&mut self, (first, second): (i32, i32)) -> Option<()> {
        let address = self.word(TRANSFER_SLOT)?;
        self.set_word(address, first.cast_unsigned())?;
        self.set_word(address.checked_add(4)?, second.cast_unsigned())
    }

    /// The first `length` bytes of the transfer buffer.
    pub(super) fn transfer(&self, length: i32) -> Option<&[u8]> {
        let length = u32::try_from(length).ok().filter(|length| *length <= TRANSFER_BYTES)?;
        self.slice(self.word(TRANSFER_SLOT)?.checked_add(ANSWER_BYTES)?, length)
    }

    /// All of the transfer buffer.
    pub(super) fn transfer_mut(&mut self) -> Option<&mut [u8]> {
        let address = self.word(TRANSFER_SLOT)?.checked_add(ANSWER_BYTES)?;
        self.slice_mut(address, TRANSFER_BYTES)
    }
}

/// Where the address of the transfer buffer is kept.
pub(super) const fn transfer_slot() -> u32 {
    TRANSFER_SLOT
}

/// Notes that a promise was rejected and nobody handles it, or that somebody does now.
pub(super) fn note_rejection(
    memory: &mut Memory<'_>,
    promise: u32,
    reason: u32,
    is_handled: u32,
) -> Option<()> {
    let count = memory.word(REJECTIONS)?;
    if count < REJECTIONS_MAX {
        let at = REJECTIONS + 4 + count * REJECTION_BYTES;
        memory.set_word(at, promise)?;
        memory.set_word(at + 4, reason)?;
        memory.set_word(at + 8, is_handled)?;
        memory.set_word(REJECTIONS, count + 1)?;
    }
    Some(())
}

/// Where the number of rejections is kept.
pub(super) const fn rejections() -> u32 {
    REJECTIONS
}

/// Where a rejection is kept: the address of the promise, of the reason, and whether it is handled.
pub(super) const fn rejection(index: u32) -> u32 {
    REJECTIONS + 4 + index * REJECTION_BYTES
}

/// The most rejections that are kept.
pub(super) const fn rejections_max() -> u32 {
    REJECTIONS_MAX
}
