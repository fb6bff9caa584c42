//! Programs, calls and examinations as rows of tables.
