//! The environments by name.

use super::arithmetic::Arithmetic;
use super::column_addition::ColumnAddition;
use super::countdown::Countdown;
use super::environment::Environment;
use super::word_problem::WordProblem;

/// Every environment, in the order of the names.
static ENVIRONMENTS: &[&dyn Environment] = &[&Arithmetic, &ColumnAddition, &Countdown, &WordProblem];

/// Every environment, in the order of their names.
pub fn environments() -> &'static [&'static dyn Environment] {
    ENVIRONMENTS
}

/// The names of all environments.
pub fn environment_names() -> impl Iterator<Item = &'static str> {
    ENVIRONMENTS.iter().map(|environment| environment.name())
}

/// The environment called `name`.
pub fn environment(name: &str) -> Option<&'static dyn Environment> {
    ENVIRONMENTS.iter().copied().find(|environment| environment.name() == name)
}
