//! Plain data that passes between the host and a function in a guest.

/// A call of a function in a guest.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function's name, or that of a method of a class `Solution`.
    pub entry_point: String,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Arguments by name; only Python has them.
    pub kwargs: Vec<(String, Value)>,
}

/// Plain data of the guest's own, exact builtin types. An object of any other type, and an instance of a subclass
/// that could lie about what it equals, is [`Value::Opaque`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`, `null`, `undefined`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number of any size: decimal digits, with `-` before a negative one, without leading zeros.
    Int(String),
    /// A floating-point number, infinities and not-a-number included.
    Float(f64),
    /// A complex number.
    Complex {
        /// The real part.
        re: f64,
        /// The imaginary part.
        im: f64,
    },
    /// Text.
    Text(String),
    /// `bytes`, `bytearray`.
    Bytes(Vec<u8>),
    /// A list or an array.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A set, in no particular order.
    Set(Vec<Value>),
    /// A dictionary, a map or a plain object, in its own order.
    Map(Vec<(Value, Value)>),
    /// Anything else.
    Opaque {
        /// The name of its type.
        type_name: String,
    },
}
