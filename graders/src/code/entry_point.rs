//! The name of the function that tests call.

/// `f`, or a method of a class `Solution`, which may be written `Solution().f`.
#[derive(Clone, Debug)]
pub(super) struct EntryPoint {
    /// The function's or method's own name.
    pub(super) name: String,
    /// Whether the class was named.
    pub(super) of_solution: bool,
}

impl EntryPoint {
    pub(super) fn read(written: &str) -> Option<Self> {
        let (name, of_solution) =
            match written.strip_prefix("Solution().").or(written.strip_prefix("Solution.")) {
                Some(name) => (name, true),
                None => (written, false),
            };
        let mut letters = name.chars();
        let begins = letters.next().is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | '$'));
        let goes_on = letters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
        (begins && goes_on).then(|| Self { name: name.to_owned(), of_solution })
    }
}
