//! Continuous batching: who is decoded, who waits, who leaves.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::generation::{EngineLimits, Finish, Generated, Statistics};
use super::request::{Bounds, Request};
use super::sequence::Sequence;
use super::source::{Load, Next, Queue, Source};
use super::stop::Decode;
use crate::error::{PolicyError, Result};

/// A sequence in the batch and what the engine keeps for it.
pub(crate) struct Row<'a, C> {
    pub(crate) sequence: Sequence<'a>,
    pub(crate) cells: C,
}

/// What computes: the processor's, the tensor library's or another library's. Prompts are known by their place among
/// `prefixes`, which [`Sequence::prompt`] has.
pub(crate) trait Engine {
    /// What is kept of a prompt for those that continue it.
    type Prefix;
    /// What is kept for a sequence.
    type Cells;

    /// Whether there is room for a sequence of at most `max_tokens` tokens after a prompt of `prompt` tokens,
    /// which is to be computed when it is `new`. If so the room is theirs.
    fn reserve(&mut self, prompt: usize, new: bool, max_tokens: usize) -> bool;

    /// Computes prompts. Their order is kept.
    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<Vec<Self::Prefix>>;

    /// A sequence that continues a prompt; nothing of it is computed yet.
    fn fork(&mut self, prefix: &Self::Prefix) -> Result<Self::Cells>;

    /// Takes the first token of each of these rows, from the end of their prompts.
    fn first(&mut self, prefixes: &[Option<Self::Prefix>], rows: &mut [Row<'_, Self::Cells>]) -> Result<()>;

    /// Computes the last token of each row and takes the next one.
    fn step(&mut self, prefixes: &[Option<Self::Prefix>], rows: &mut [Row<'_, Self::Cells>]) -> Result<()>;

    /// A sequence has left.
    fn leave(&mut self, cells: Self::Cells, max_tokens: usize);

    /// No sequence of the prompt is left.
    fn forget(&mut self, prefix: Self::Prefix);

    /// Adds what the engine counted.
    fn count(&self, statistics: &mut Statistics);
}

/// A request whose sequences are not all over.
struct Entry {
    request: Request,
    /// What is computed before the first token: the prompt, and what was begun.
    known: Arc<[u32]>,
    left: usize,
}

/// A batch that is being decoded.
struct Batch<'a, E: Engine> {
    engine: &'a mut E,
    source: &'a mut dyn Source,
    max_batch: usize,
    decode: Option<Decode<'a>>,
    /// Places of requests; one is taken again when its request is over.
    entries: Vec<Option<Entry>>,
    /// At the same places.
    prefixes: Vec<Option<E::Prefix>>,
    /// Sequences to come: place and index.
    waiting: VecDeque<(usize, usize)>,
    rows: Vec<Row<'a, E::Cells>>,
    statistics: Statistics,
}

/// Decodes what `source` asks for until it says that there is no more.
pub(crate) fn run<E: Engine>(
    engine: &mut E,
    bounds: &Bounds,
    limits: &EngineLimits,
    decode: Option<Decode<'_>>,
    source: &mut dyn Source,
) -> Result<Statistics> {
    let mut batch = Batch {
        engine,
        source,
        max_batch: limits.max_batch,
        decode,
        entries: Vec::new(),
        prefixes: Vec::new(),
        waiting: VecDeque::new(),
        rows: Vec::new(),
        statistics: Statistics::default(),
    };
    loop {
        let load = Load { decoding: batch.rows.len(), waiting: batch.waiting.len() };
        let mut queue = Queue::default();
        let next = batch.source.before_step(load, &mut queue);
        batch.cancel(&queue);
        for request in queue.requests {
            match bounds.check(&request, decode.is_some()) {
                Ok(()) => batch.enter(request),
                Err(error) => batch.source.on_refused(request.id, error),
            }
        }
        if !batch.rows.is_empty() || !batch.waiting.is_empty() {
            batch.turn()?;
        } else if next == Next::Finish {
            break;
        }
    }
    batch.engine.count(&mut batch.statistics);
    Ok(batch.statistics)
}

impl<E: Engine> Batch<'_, E> {
    /// Lets a request wait for its turn.
    fn enter(&mut self, request: Request) {
        let left = request.seeds.len();
        if left == 0 {
            return;
        }
        let free = self.entries.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.entries.push(None);
            self.prefixes.push(None);
            self.entries.len() - 1
        });
        let known = match &request.begun {
            None => Arc::clone(&request.tokens),
            Some(begun) => request.tokens.iter().chain(&begun.tokens).copied().collect(),
        };
        self.entries[place] = Some(Entry { request, known, left });
        self.waiting.extend((0..left).map(|index| (place, index)));
    }

    /// Who joins, one step, who leaves.
    fn turn(&mut self) -> Result<()> {
        let clock = Instant::now();
        let known = self.rows.len();
        self.join()?;
        self.engine.first(&self.prefixes, &mut self.rows[known..])?;
        self.statistics.prefill += clock.elapsed();
        let clock = Instant::now();
        if known > 0 {
            self.statistics.steps += 1;
            self.statistics.rows += known;
            self.engine.step(&self.prefixes, &mut self.rows[..known])?;
        }
        self.statistics.decoding += clock.elapsed();
        let clock = Instant::now();
        for row in &mut self.rows {
            if let Some(taken) = row.sequence.taken() {
                self.source.on_token(&taken);
            }
        }
        self.part();
        self.statistics.handing_over += clock.elapsed();
        Ok(())
    }

    /// Who is waiting joins while there is room.
    fn join(&mut self) -> Result<()> {
        let mut joining = Vec::new();
        let mut new: Vec<usize> = Vec::new();
        while let Some((place, index)) = self.waiting.front().copied() {
            let Some(entry) = &self.entries[place] else { break };
            let unknown = self.prefixes[place].is_none() && new.last() != Some(&place);
            let n_begun = entry.request.begun.as_ref().map_or(0, |begun| begun.tokens.len());
            let (prompt, max_tokens) = (entry.known.len(), entry.request.sampling.max_tokens - n_begun);
            if self.rows.len() + joining.len() >= self.max_batch
                || !self.engine.reserve(prompt, unknown, max_tokens)
            {
                break;
            }
            if unknown {
                new.push(place);
            }
            joining.push((place, index));
            self.waiting.pop_front();
        }
        if self.rows.is_empty() && joining.is_empty() {
            self.refuse_first();
            return Ok(());
        }
        let tokens: Vec<&[u32]> =
            new.iter().filter_map(|place| self.entries[*place].as_ref()).map(|entry| &*entry.known).collect();
        self.statistics.prefill_tokens += tokens.iter().map(|tokens| tokens.len()).sum::<usize>();
        if !tokens.is_empty() {
            for (place, prefix) in new.into_iter().zip(self.engine.prefill(&tokens)?) {
                self.prefixes[place] = Some(prefix);
            }
        }
        for (place, index) in joining {
            if let (Some(entry), Some(prefix)) = (&self.entries[place], &self.prefixes[place]) {
                let sequence = Sequence::new(place, index, &entry.request, self.decode);
                self.rows.push(Row { sequence, cells: self.engine.fork(prefix)? });
            }
        }
        Ok(())
    }

    /// The first who waits has the whole engine and still no room.
    fn refuse_first(&mut self) {
        let Some((place, _)) = self.waiting.front().copied() else { return };
        self.waiting.retain(|(other, _)| *other != place);
        if let Some(entry) = self.entries[place].take() {
            let error = PolicyError::input("the cache has no room for the next sequence");
            self.source.on_refused(entry.request.id, error);
        }
    }

    /// Who is finished leaves at once; the others keep their order, so that a group stays together.
    fn part(&mut self) {
        let finished: Vec<_> = self.rows.extract_if(.., |row| row.sequence.finish.is_some()).collect();
        for row in finished {
            let place = row.sequence.prompt;
            let max_tokens = row.sequence.max_tokens();
            self.engine.leave(row.cells, max_tokens);
            self.over(place);
            if let Some(generated) = row.sequence.finished() {
                self.hand_over(generated);
            }
        }
    }

    fn hand_over(&mut self, generated: Generated) {
        self.statistics.sequences += 1;
        self.statistics.tokens += generated.tokens.len();
        self.source.on_finished(generated);
    }

    /// One sequence of a request is over.
    fn over(&mut self, place: usize) {
        let Some(entry) = &mut self.entries[place] else { return };
        entry.left -= 1;
        if entry.left == 0 {
            self.entries[place] = None;
            if let Some(prefix) = self.prefixes[place].take() {
                self.engine.forget(prefix);
            }
        }
    }

    /// Ends what is not wanted any more.
    fn cancel(&mut self, queue: &Queue) {
        if queue.cancelled.is_empty() {
            return;
        }
        let covers = |id, index| queue.cancelled.iter().any(|cancelled| cancelled.covers(id, index));
        for row in &mut self.rows {
            if covers(row.sequence.id, row.sequence.index) {
                row.sequence.finish = Some(Finish::Cancelled);
            }
        }
        self.part();
        let mut gone = Vec::new();
        self.waiting.retain(|(place, index)| {
            let id = self.entries[*place].as_ref().map(|entry| entry.request.id);
            let is_gone = id.is_none_or(|id| covers(id, *index));
            if is_gone {
                gone.push((*place, *index));
            }
            !is_gone
        });
        for (place, index) in gone {
            let generated = self.entries[place].as_ref().and_then(|entry| {
                let mut sequence = Sequence::new(place, index, &entry.request, None);
                sequence.finish = Some(Finish::Cancelled);
                sequence.finished()
            });
            self.over(place);
            if let Some(generated) = generated {
                self.hand_over(generated);
            }
        }
    }
}
