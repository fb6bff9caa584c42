//! Rubrics that were read lately, so that a request pays for its rubric once and not each time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use graders::{Rubric, content_hash};
use serde_json::Value;

use super::problem::Problem;

/// How many rubrics are kept; trainers use a few.
const MAX_RUBRICS: usize = 256;

/// Rubrics by the hash of what they say.
#[derive(Debug, Default)]
pub struct RubricCache {
    rubrics: RwLock<HashMap<String, Arc<Rubric>>>,
}

impl RubricCache {
    /// Reads a rubric, or finds it read.
    ///
    /// # Errors
    /// 422 with the place; it points into the rubric.
    pub async fn read(&self, spec: Value) -> Result<Arc<Rubric>, Problem> {
        let hash = content_hash(&spec);
        if let Some(rubric) = self.rubrics.read().unwrap_or_else(PoisonError::into_inner).get(&hash) {
            return Ok(Arc::clone(rubric));
        }
        let rubric = Arc::new(check(spec).await?);
        let mut rubrics = self.rubrics.write().unwrap_or_else(PoisonError::into_inner);
        // A flood of one-off rubrics empties the cache now and then instead of filling memory.
        if rubrics.len() >= MAX_RUBRICS {
            rubrics.clear();
        }
        rubrics.insert(hash, Arc::clone(&rubric));
        Ok(rubric)
    }
}

/// Reads a rubric. Its patterns and schemas take too long to compile for an async thread.
///
/// # Errors
/// 422 with the place; it points into the rubric.
pub async fn check(spec: Value) -> Result<Rubric, Problem> {
    tokio::task::spawn_blocking(move || Rubric::from_value(&spec))
        .await
        .map_err(|_| Problem::internal())?
        .map_err(|error| Problem::invalid(vec![error.into()]))
}
