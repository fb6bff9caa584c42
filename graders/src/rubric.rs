//! A rubric: named components, their weights, gates, and how they make one reward.
//!
//! A rubric is checked when it is read: everything that is wrong with it is said then, with a pointer, and
//! nothing about it can fail while judging.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::advantage::{GroupRewards, group_normalised};
use crate::completion::Completion;
use crate::config::{self, Object};
use crate::error::{ConfigError, ErrorKind, GradeError, TaskError, TaskErrorKind};
use crate::grader::{Grader, GroupView, Prepared, Resources};
use crate::hash::content_hash;
use crate::preset;
use crate::registry::build_grader;
use crate::reward::{ComponentReward, Reward, RewardError};
use crate::task::Task;
use crate::verdict::Verdict;
use crate::weight::{Progress, Weight};

/// The most components a rubric may have.
const MAX_COMPONENTS: usize = 64;
/// The longest component name, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// The constants of the normalisation in the group, as in TRL's GDPO.
const NORMALIZE_DDOF: usize = 1;
const NORMALIZE_EPS: f64 = 1e-4;

/// How completions are rewarded.
#[derive(Clone, Debug)]
pub struct Rubric {
    components: Vec<Component>,
    gates: Vec<Gate>,
    combine: Combine,
    normalize: bool,
    clip: Option<(f64, f64)>,
    /// The order in which components are judged: what is read comes before its reader.
    order: Vec<usize>,
    spec: Value,
    hash: String,
}

/// A grader under a name, with a weight.
#[derive(Clone, Debug)]
pub struct Component {
    /// The name, unique in the rubric; trainers see it as a metric.
    pub name: Arc<str>,
    /// The grader.
    pub grader: Arc<dyn Grader>,
    /// The weight.
    pub weight: Weight,
    /// The index of the component whose verdicts the grader reads.
    reads: Option<usize>,
}

/// Below a threshold of one component the whole reward becomes a set value (a constraint in the sense of
/// CGPO, arXiv:2409.20370).
#[derive(Clone, Debug, PartialEq)]
struct Gate {
    component: usize,
    at_least: f64,
    otherwise: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Combine {
    /// The sum of weight times score.
    #[default]
    Sum,
    /// The product of weight times score; components of weight 0 are left out.
    Product,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RubricSpec {
    components: Vec<Object<ComponentSpec>>,
    #[serde(default)]
    gates: Vec<Object<GateSpec>>,
    #[serde(default)]
    combine: Combine,
    #[serde(default)]
    normalize: Option<Normalize>,
    #[serde(default)]
    clip: Option<[f64; 2]>,
    /// For people.
    #[serde(default)]
    #[expect(dead_code, reason = "kept in `spec`")]
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Normalize {
    Group,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentSpec {
    name: String,
    grader: Value,
    #[serde(default = "weight_one")]
    weight: Value,
}

fn weight_one() -> Value {
    Value::from(1.0)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GateSpec {
    component: String,
    at_least: f64,
    #[serde(default)]
    otherwise: f64,
}

impl Rubric {
    /// Reads a rubric: the name of a preset, or the object itself.
    ///
    /// # Errors
    /// Points at the first thing that is wrong.
    pub fn from_value(value: &Value) -> Result<Self, ConfigError> {
        match value {
            Value::String(name) => match preset::preset(name) {
                Some(spec) => Self::from_spec(spec),
                None => Err(ConfigError::new(
                    "",
                    format!("unknown rubric `{name}`; the presets are {}", preset::names().join(", ")),
                )),
            },
            Value::Object(_) => Self::from_spec(value.clone()),
            _ => Err(ConfigError::new("", "expected a rubric's name or an object with `components`")),
        }
    }

    fn from_spec(spec: Value) -> Result<Self, ConfigError> {
        let fields = match &spec {
            Value::Object(fields) => fields.clone(),
            _ => Map::new(),
        };
        let read: RubricSpec = config::read(fields)?;
        let components = components(&read.components)?;
        let gates = read
            .gates
            .iter()
            .enumerate()
            .map(|(index, Object(gate))| {
                resolve_gate(gate, &components).map_err(|e| e.under(&format!("/gates/{index}")))
            })
            .collect::<Result<_, _>>()?;
        let clip = match read.clip {
            Some([low, high]) if low < high => Some((low, high)),
            Some(_) => return Err(ConfigError::new("/clip", "expected [low, high] with low below high")),
            None => None,
        };
        let order = judging_order(&components)?;
        let hash = content_hash(&spec);
        Ok(Self {
            components,
            gates,
            combine: read.combine,
            normalize: read.normalize.is_some(),
            clip,
            order,
            spec,
            hash,
        })
    }

    /// The components, in the order they were given.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The rubric as it was read.
    pub fn spec(&self) -> &Value {
        &self.spec
    }

    /// The hash of what it says; equal rubrics have equal hashes.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The version of each grader used, by its type.
    pub fn grader_versions(&self) -> Map<String, Value> {
        self.components
            .iter()
            .map(|c| (c.grader.kind().to_owned(), Value::from(c.grader.version())))
            .collect()
    }

    /// What decides verdicts besides the rubric, the reference and the completion, for each component that names
    /// something; equal circumstances, versions, hashes and completions have equal verdicts.
    pub fn circumstances(&self, task: &Task, resources: &Resources) -> Vec<Value> {
        let of = |component: &Component| component.grader.circumstances(task, resources);
        self.components.iter().filter_map(of).collect()
    }

    /// The weights in force.
    ///
    /// # Errors
    /// When a schedule needs a step or a metric the caller did not send; the pointer is `/step` or `/metrics`.
    pub fn weights(&self, progress: &Progress) -> Result<Vec<f64>, ConfigError> {
        self.components.iter().map(|c| c.weight.at(&c.name, progress)).collect()
    }

    /// Whether a weight stays on once a metric switched it on, so that this has to be remembered.
    pub fn has_latches(&self) -> bool {
        self.components.iter().any(|c| matches!(c.weight, Weight::OnMetric { latch: true, .. }))
    }

    /// The components whose latch closes now.
    pub fn closing_latches(&self, progress: &Progress) -> BTreeSet<String> {
        let closes = |c: &&Component| c.weight.closes_latch(&c.name, progress);
        self.components.iter().filter(closes).map(|c| c.name.to_string()).collect()
    }

    /// Parses what the task says, once for all completions of its group.
    ///
    /// # Errors
    /// When the task lacks what a component needs or states it wrongly. A reference that cannot be read is no
    /// error here: it keeps the component from judging.
    pub fn prepare(
        self: &Arc<Self>,
        task: &Task,
        resources: &Resources,
    ) -> Result<PreparedRubric, TaskError> {
        let judges = self
            .components
            .iter()
            .map(|component| match component.grader.prepare(task, resources) {
                Ok(prepared) => Ok(Ok(prepared)),
                Err(error) if error.kind == TaskErrorKind::InvalidReference => {
                    Ok(Err(GradeError::new(ErrorKind::InvalidReference, error.message)))
                }
                Err(error) => Err(TaskError {
                    message: format!("{} (component `{}`)", error.message, component.name),
                    ..error
                }),
            })
            .collect::<Result<_, _>>()?;
        Ok(PreparedRubric { rubric: Arc::clone(self), judges })
    }
}

/// The hash of all in a task that decides a verdict.
pub fn reference_hash(task: &Task) -> String {
    content_hash(&json!({
        "reference": task.reference,
        "tests": task.tests,
        "schema": task.schema,
        "language": task.language,
        "instructions": task.instructions,
        "metadata": task.metadata,
    }))
}

fn components(specs: &[Object<ComponentSpec>]) -> Result<Vec<Component>, ConfigError> {
    if specs.is_empty() || specs.len() > MAX_COMPONENTS {
        return Err(ConfigError::new(
            "/components",
            format!("a rubric has 1 to {MAX_COMPONENTS} components, this has {}", specs.len()),
        ));
    }
    let mut components: Vec<Component> = Vec::with_capacity(specs.len());
    for (index, Object(spec)) in specs.iter().enumerate() {
        let at = |field: &str| format!("/components/{index}/{field}");
        check_name(&spec.name).map_err(|e| e.under(&at("name")))?;
        if components.iter().any(|c| *c.name == *spec.name) {
            return Err(ConfigError::new(
                at("name"),
                format!("the name `{}` is taken by another component; give each its own", spec.name),
            ));
        }
        let grader = build_grader(&spec.grader).map_err(|e| e.under(&at("grader")))?;
        let weight = Weight::from_value(&spec.weight).map_err(|e| e.under(&at("weight")))?;
        components.push(Component { name: spec.name.as_str().into(), grader, weight, reads: None });
    }
    for index in 0..components.len() {
        let Some(read) = components[index].grader.reads_component().map(str::to_owned) else { continue };
        let found = components.iter().position(|c| *c.name == *read).ok_or_else(|| {
            let pointer = format!("/components/{index}/grader");
            ConfigError::new(
                pointer,
                format!(
                    "it reads the component `{read}`, which is not in the rubric; add it or name another"
                ),
            )
        })?;
        if components[found].grader.judges_groups() && !components[index].grader.judges_groups() {
            let pointer = format!("/components/{index}/grader");
            return Err(ConfigError::new(
                pointer,
                format!("it judges each completion alone, and `{read}` judges groups; name another component"),
            ));
        }
        components[index].reads = Some(found);
    }
    Ok(components)
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(allowed) {
        return Err(ConfigError::new(
            "",
            format!("a name has 1 to {MAX_NAME_BYTES} of the characters a-z, A-Z, 0-9, `_`, `-` and `.`"),
        ));
    }
    Ok(())
}

fn resolve_gate(gate: &GateSpec, components: &[Component]) -> Result<Gate, ConfigError> {
    let component = components.iter().position(|c| *c.name == *gate.component).ok_or_else(|| {
        let known: Vec<&str> = components.iter().map(|c| &*c.name).collect();
        ConfigError::new(
            "/component",
            format!("there is no component `{}`; there are {}", gate.component, known.join(", ")),
        )
    })?;
    Ok(Gate { component, at_least: gate.at_least, otherwise: gate.otherwise })
}

fn judging_order(components: &[Component]) -> Result<Vec<usize>, ConfigError> {
    let mut order: Vec<usize> = Vec::with_capacity(components.len());
    while order.len() < components.len() {
        let ready = (0..components.len()).find(|index| {
            !order.contains(index) && components[*index].reads.is_none_or(|read| order.contains(&read))
        });
        let Some(index) = ready else {
            let stuck = (0..components.len()).find(|index| !order.contains(index)).unwrap_or_default();
            let pointer = format!("/components/{stuck}/grader");
            return Err(ConfigError::new(pointer, "components read each other in a circle"));
        };
        order.push(index);
    }
    Ok(order)
}

/// A rubric that is ready for the completions of one task.
pub struct PreparedRubric {
    rubric: Arc<Rubric>,
    judges: Vec<Result<Prepared, GradeError>>,
}

/// What a component found, where it could.
pub type Outcome = Result<Verdict, GradeError>;

/// What the components that look at a completion alone found, in the rubric's order; `None` for those that
/// see the group.
pub type Alone = Vec<Option<Outcome>>;

impl PreparedRubric {
    /// The rubric.
    pub fn rubric(&self) -> &Arc<Rubric> {
        &self.rubric
    }

    /// Judges one completion by every component that looks at it alone. Completions of a group may be judged
    /// in any order and on any thread.
    pub fn judge_alone(&self, completion: &Completion) -> Alone {
        let mut found: Alone = vec![None; self.judges.len()];
        for &index in &self.rubric.order {
            found[index] = match &self.judges[index] {
                Ok(Prepared::Completion(judge)) => {
                    let read = self.rubric.components[index].reads.and_then(|read| found[read].as_ref());
                    Some(judge.grade_after(completion, read))
                }
                Ok(Prepared::Group(_)) => None,
                Err(error) => Some(Err(error.clone())),
            };
        }
        found
    }

    /// The answer to a completion that was not judged at all, for every component the same error.
    pub fn not_judged(&self, error: &GradeError) -> Alone {
        self.judges.iter().map(|_| Some(Err(error.clone()))).collect()
    }

    /// Lets the group-level components judge and combines all into one reward for each completion.
    ///
    /// `alone` and `completions` are in the same order; `weights` are [`Rubric::weights`].
    pub fn judge_group(&self, completions: &[Completion], alone: Vec<Alone>, weights: &[f64]) -> Vec<Reward> {
        assert_eq!(completions.len(), alone.len(), "one result for each completion");
        let n_components = self.judges.len();
        let mut outcomes: Vec<Vec<Outcome>> =
            (0..n_components).map(|_| Vec::with_capacity(alone.len())).collect();
        for results in alone {
            for (component, result) in results.into_iter().enumerate() {
                if let Some(outcome) = result {
                    outcomes[component].push(outcome);
                }
            }
        }
        for &index in &self.rubric.order {
            if let Ok(Prepared::Group(judge)) = &self.judges[index] {
                // A completion that was not judged at all has already put its error here.
                let read = self.rubric.components[index].reads.map(|read| outcomes[read].clone());
                let found = judge.grade_group(&GroupView { completions, read: read.as_deref() });
                assert_eq!(found.len(), completions.len(), "a group grader answers for each completion");
                outcomes[index] = found;
            }
        }
        self.combine(completions.len(), outcomes, weights)
    }

    /// The two stages in one call, for those who need no threads.
    pub fn score(&self, completions: &[Completion], weights: &[f64]) -> Vec<Reward> {
        let alone = completions.iter().map(|completion| self.judge_alone(completion)).collect();
        self.judge_group(completions, alone, weights)
    }

    fn combine(&self, n: usize, outcomes: Vec<Vec<Outcome>>, weights: &[f64]) -> Vec<Reward> {
        let mut rows: Vec<Vec<ComponentReward>> =
            (0..n).map(|_| Vec::with_capacity(outcomes.len())).collect();
        for (index, column) in outcomes.into_iter().enumerate() {
            for (row, outcome) in rows.iter_mut().zip(column) {
                let name = Arc::clone(&self.rubric.components[index].name);
                row.push(ComponentReward { name, weight: weights[index], outcome });
            }
        }
        let faults: Vec<Option<RewardError>> = rows.iter().map(|row| self.fault(row)).collect();
        let normalised = self.rubric.normalize.then(|| normalised(&rows, &faults));
        let totals: Vec<Result<f64, RewardError>> = faults
            .into_iter()
            .enumerate()
            .map(|(i, fault)| match fault {
                Some(fault) => Err(fault),
                None => self.total(&rows[i], normalised.as_ref().and_then(|sums| sums[i])),
            })
            .collect();
        rows.into_iter().zip(totals).map(|(components, total)| Reward { total, components }).collect()
    }

    /// The error that leaves a completion without a reward: that of a component which has a part in it.
    fn fault(&self, row: &[ComponentReward]) -> Option<RewardError> {
        row.iter().enumerate().find_map(|(index, component)| {
            let gated = self.rubric.gates.iter().any(|gate| gate.component == index);
            match &component.outcome {
                Err(error) if component.weight != 0.0 || gated => Some(RewardError {
                    component: Arc::clone(&component.name),
                    kind: error.kind,
                    message: error.message.clone(),
                }),
                _ => None,
            }
        })
    }

    fn total(&self, row: &[ComponentReward], normalised: Option<f64>) -> Result<f64, RewardError> {
        let score =
            |component: &ComponentReward| component.outcome.as_ref().ok().and_then(|verdict| verdict.score);
        for gate in &self.rubric.gates {
            // An abstention is no failure: it leaves the gate open.
            if score(&row[gate.component]).is_some_and(|score| score < gate.at_least) {
                return Ok(gate.otherwise);
            }
        }
        let mut weighted = row.iter().filter(|c| c.weight != 0.0).peekable();
        let nothing_weighs = weighted.peek().is_none();
        let parts: Vec<f64> = weighted.filter_map(|c| score(c).map(|score| c.weight * score)).collect();
        if parts.is_empty() && !nothing_weighs {
            return Err(RewardError {
                component: row.first().map_or_else(|| "".into(), |c| Arc::clone(&c.name)),
                kind: ErrorKind::NothingToJudge,
                message: "every component abstained; each one's reason says why".to_owned(),
            });
        }
        let total = match (normalised, self.rubric.combine) {
            (Some(sum), _) => sum,
            (None, Combine::Sum) => parts.iter().sum(),
            (None, Combine::Product) if nothing_weighs => 0.0,
            (None, Combine::Product) => parts.iter().product(),
        };
        let (low, high) = self.rubric.clip.unwrap_or((f64::MIN, f64::MAX));
        // The clip also brings an overflow back to a finite number.
        Ok(total.clamp(low, high))
    }
}

/// The sum of the components' scores, each normalised in the group (GDPO, arXiv:2601.05242).
fn normalised(rows: &[Vec<ComponentReward>], faults: &[Option<RewardError>]) -> Vec<Option<f64>> {
    let rewards = faults.iter().map(|fault| fault.is_none().then_some(0.0)).collect();
    let n_components = rows.first().map_or(0, Vec::len);
    let components = (0..n_components)
        .map(|index| {
            let scores =
                rows.iter().map(|row| row[index].outcome.as_ref().ok().and_then(|v| v.score)).collect();
            (rows[0][index].weight, scores)
        })
        .collect();
    let group = GroupRewards { rewards, n_tokens: Vec::new(), components };
    group_normalised(&group, NORMALIZE_DDOF, NORMALIZE_EPS)
}
