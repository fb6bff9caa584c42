//! Where the loop gets its rollouts: drawn when it asks for them, or ahead of it by a thread of their own.
//!
//! Drawn when they are asked for, every token is the newest policy's, and a run that is resumed goes on bit for bit:
//! that is the reference. Drawn ahead, the learner and the engine work at the same time; a step's rollouts may then be
//! some steps older than the policy that learns from them, at most as many as the recipe says.

use std::sync::{Arc, mpsc};
use std::thread::Scope;
use std::time::{Duration, Instant};

use policy::Policy;

use super::collect::{Collected, Collector, Order, Watch};
use super::error::{LearnerError, Result};
use super::newest::Newest;
use super::recipe::PipelineRecipe;
use super::supply::SupplyState;

/// Where the loop gets its rollouts.
pub(super) enum Rollouts<'a> {
    /// Drawn when they are asked for.
    Inline(Box<Collector<'a>>),
    /// Drawn ahead.
    Ahead(Ahead),
}

/// The learner's end of a thread that draws ahead.
pub(super) struct Ahead {
    orders: mpsc::Sender<Order>,
    batches: mpsc::Receiver<Batch>,
    newest: Arc<Newest>,
    max_staleness: u64,
    /// The last step that was ordered.
    ordered: u64,
    last_step: u64,
}

/// A step's rollouts, and what decides the tasks of the steps after it.
type Batch = Result<(Collected, SupplyState)>;

impl<'a> Rollouts<'a> {
    /// Without a pipeline, or one that may not be stale, rollouts are drawn when they are asked for. `step` is the
    /// last step that was taken, `last_step` the last of the run.
    pub(super) fn begin<'scope>(
        scope: &'scope Scope<'scope, '_>,
        collector: Collector<'a>,
        pipeline: Option<&PipelineRecipe>,
        step: u64,
        last_step: u64,
    ) -> Self
    where
        'a: 'scope,
    {
        let Some(pipeline) = pipeline.filter(|pipeline| pipeline.max_staleness > 0) else {
            return Self::Inline(Box::new(collector));
        };
        let (orders, ordered) = mpsc::channel();
        let (sender, batches) = mpsc::channel();
        let newest = Arc::new(Newest::default());
        let work = Arc::clone(&newest);
        let in_flight = pipeline.in_flight;
        scope.spawn(move || draw(collector, &ordered, &sender, &work, in_flight));
        let max_staleness = pipeline.max_staleness;
        Self::Ahead(Ahead { orders, batches, newest, max_staleness, ordered: step, last_step })
    }

    /// The rollouts of a step, and what decides the tasks of the steps after it.
    ///
    /// # Errors
    /// When tasks, engine or tokenizer fail.
    pub(super) fn next(&mut self, order: &Order) -> Batch {
        match self {
            Self::Inline(collector) => {
                let collected = collector.collect(order, None)?;
                Ok((collected, collector.supply.state().clone()))
            }
            Self::Ahead(ahead) => ahead.next(order),
        }
    }

    /// The policy has taken a step: it has taken `version` in all. Gives how long the learner had to wait until the
    /// engine had the weights, or a copy of them.
    ///
    /// # Errors
    /// When the engine could not take the weights.
    pub(super) fn follow(&self, policy: &Policy, version: u64) -> Result<Duration> {
        let clock = Instant::now();
        match self {
            Self::Inline(collector) => collector.engine.lend(|engine| engine.sync(policy, version))?,
            // The learner goes on to change its own.
            Self::Ahead(ahead) => ahead.newest.put(policy.snapshot()?, version),
        }
        Ok(clock.elapsed())
    }
}

impl Ahead {
    fn next(&mut self, order: &Order) -> Batch {
        let until = (order.step + self.max_staleness).min(self.last_step);
        while self.ordered < until {
            self.ordered += 1;
            // The thread's end shows below.
            let _ = self.orders.send(Order { step: self.ordered, ..order.clone() });
        }
        let clock = Instant::now();
        let (mut collected, supply) = self
            .batches
            .recv()
            .map_err(|_| LearnerError::other("the sampling thread ended; this is a bug"))??;
        collected.waiting = clock.elapsed();
        // Within the time above, if at all.
        collected.judging = Duration::ZERO;
        Ok((collected, supply))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Ends what is being drawn for nobody.
        self.newest.close();
    }
}

/// What the sampling thread does all its life.
fn draw(
    mut collector: Collector<'_>,
    orders: &mpsc::Receiver<Order>,
    batches: &mpsc::Sender<Batch>,
    newest: &Newest,
    in_flight: bool,
) {
    for order in orders {
        if newest.is_closed() {
            return;
        }
        let batch = collector.draw(&order, newest, in_flight);
        let failed = batch.is_err();
        if batches.send(batch).is_err() || failed {
            return;
        }
    }
}

impl Collector<'_> {
    fn draw(&mut self, order: &Order, newest: &Newest, in_flight: bool) -> Batch {
        if let Some((policy, version)) = newest.take() {
            self.engine.lend(|engine| engine.sync(&policy, version))?;
        }
        let collected = self.collect(order, Some(Watch { newest, in_flight }))?;
        Ok((collected, self.supply.state().clone()))
    }
}
