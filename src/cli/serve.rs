//! `gavel serve`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use graders::Resources;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use sandboxes::{Guests, Language, Sandbox};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::sample;
use crate::config::{ServeConfig, ServeSettings};
use crate::guests::InstalledGuests;

use crate::judge::{Judge, MIN_WORK, VerdictCache};
use crate::server::admission::Admission;
use crate::server::answers::{AnswerLimits, Answers};
use crate::server::auth::Gatekeeper;
use crate::server::compat::Wires;
use crate::server::job_table::{JobLimits, Jobs};
use crate::server::rubric_cache::RubricCache;
use crate::server::{self, App, Settings, listen};
use crate::serving::{self, ModelSettings, Ready, Served};
use crate::store::Store;
use crate::tasks::TaskSets;
use crate::telemetry;

/// Serve the HTTP API: rollouts in, rewards out.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// A TOML file with the settings below; the environment and flags go before it.
    #[arg(long, env = "GAVEL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Grade a sample when the server is up, and show the request and the reply.
    #[arg(long)]
    sample: bool,
    #[command(flatten)]
    settings: ServeSettings,
}

/// Upper bounds of the histogram of grading times, in seconds.
const GRADE_SECONDS: [f64; 14] =
    [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0];
/// Upper bounds of the histogram of programs' reference times, in seconds, and of their fuel.
const EXECUTION_SECONDS: [f64; 12] =
    [0.000_1, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0];
const EXECUTION_FUEL: [f64; 9] = [1e5, 1e6, 1e7, 1e8, 1e9, 3e9, 1e10, 3e10, 1e11];
/// Upper bounds of the histogram of times to a model's first token, in seconds.
const FIRST_TOKEN_SECONDS: [f64; 12] =
    [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// How often histograms are folded, so that their samples do not pile up between scrapes.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let file = ServeSettings::from_file(self.config.as_deref())?;
        let config = self.settings.or(file).resolve()?;
        super::block_on(serve(config, self.sample))
    }
}

async fn serve(config: ServeConfig, sample: bool) -> anyhow::Result<ExitCode> {
    let traces = telemetry::start(config.log_format, config.otlp_endpoint.as_deref())?;
    let wires = Wires {
        settings: config.wires.clone(),
        sets: TaskSets::load(config.datasets.clone())?,
        ..Wires::default()
    };
    let store = Store::open(&config.store).await?;
    let open = decide_who_may_call(&config, &store).await?;
    let metrics = metrics()?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let sandbox = InstalledGuests::new(config.guests.clone(), config.n_sandbox_slots);
    let guests = open_guests(&sandbox);
    let resources = Resources { sandbox: Some(sandbox.clone()), ..Resources::default() };
    let resources = config.opinions.add_to(resources)?;
    let judge = Judge::start(config.n_threads, resources).context("cannot start the grading threads")?;
    let judge = judge.with_cache(VerdictCache::new(config.cache_bytes, MIN_WORK));
    let (model, unloaded) = model(config.model.clone())?;
    let app = Arc::new(App {
        judge,
        store: store.clone(),
        admission: Admission::new(config.admission),
        gatekeeper: Gatekeeper::new(open),
        rubrics: RubricCache::default(),
        answers: Answers::new(AnswerLimits::default()),
        jobs: Jobs::new(JobLimits::default()),
        sandbox: Some(sandbox.clone()),
        guests,
        model,
        wires,
        metrics: metrics.clone(),
        settings: Settings { max_deadline: config.max_deadline },
    });
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(METRICS_UPKEEP).await;
            metrics.run_upkeep();
        }
    });
    tracing::info!(%address, store = %store.describe(), threads = config.n_threads, open, "serving");
    let router = server::router(Arc::clone(&app));
    if sample {
        sample::show(router.clone(), address, &sandbox.languages()).await?;
    }
    // A server that was started for a model it cannot load is of no use: it stops, and says why.
    let mut why = None;
    let stop = async {
        tokio::select! {
            () = stop_signal() => {}
            Ok(message) = unloaded => why = Some(message),
        }
    };
    let n_cut = listen::serve(listener, router, app, config.connections, stop).await;
    store.close().await;
    traces.flush();
    if let Some(why) = why {
        anyhow::bail!(why);
    }
    if n_cut > 0 {
        tracing::warn!(n = n_cut, "stopped before these connections and jobs had ended");
        return Ok(ExitCode::FAILURE);
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Starts to load the model; what comes second says why it could not be.
fn model(
    settings: Option<ModelSettings>,
) -> anyhow::Result<(Option<Arc<Served>>, oneshot::Receiver<String>)> {
    let (sender, unloaded) = oneshot::channel();
    let Some(settings) = settings else {
        return Ok((None, unloaded));
    };
    let (name, limits) = (settings.name.clone(), settings.limits);
    let began = Instant::now();
    tracing::info!(model = settings.source, name, "loading the model");
    let load = move || serving::load(&settings).map_err(|error| error.to_string());
    let on_loaded = move |loaded: Result<&Ready, &str>| match loaded {
        Ok(ready) => tracing::info!(
            engine = ready.card.engine,
            context = ready.card.context,
            seconds = began.elapsed().as_secs_f64(),
            "the model is loaded"
        ),
        Err(message) => {
            let _ = sender.send(message.to_owned());
        }
    };
    let served = Served::start(name, limits, load, on_loaded).context("cannot start the model's thread")?;
    Ok((Some(served), unloaded))
}

/// Opens the guests and says in one line what can be run.
fn open_guests(sandbox: &InstalledGuests) -> Option<Arc<Guests>> {
    let folder = sandbox.directory().map(|path| path.display().to_string()).unwrap_or_default();
    match sandbox.guests() {
        Ok(guests) => {
            let languages = guests.languages();
            if languages.is_empty() {
                tracing::warn!(
                    guests = folder,
                    "no guest is installed: `code` gives null rewards until `gavel sandbox install python` or the like"
                );
            } else {
                let languages: Vec<_> = languages.into_iter().map(Language::name).collect();
                tracing::info!(
                    guests = folder,
                    slots = guests.n_slots(),
                    languages = languages.join(","),
                    "sandbox"
                );
            }
            Some(guests)
        }
        Err(error) => {
            tracing::error!(error, "the sandbox does not start: `code` gives null rewards");
            None
        }
    }
}

/// Whether callers need no key: on this machine's own addresses as long as there are none, elsewhere only
/// when told so.
async fn decide_who_may_call(config: &ServeConfig, store: &Store) -> anyhow::Result<bool> {
    if config.open {
        return Ok(true);
    }
    let has_keys = store.api_keys().await?.iter().any(|key| key.revoked_at.is_none());
    if listen::is_loopback(&config.listen) {
        return Ok(!has_keys);
    }
    anyhow::ensure!(
        has_keys,
        "{} can be reached from other machines and there is no key yet: make one with `gavel keys create <name> \
         --store {}`, or let everybody in with --open",
        config.listen,
        config.store
    );
    Ok(false)
}

fn metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("gavel_grade_seconds".to_owned()), &GRADE_SECONDS)?
        .set_buckets_for_metric(Matcher::Full("gavel_execution_seconds".to_owned()), &EXECUTION_SECONDS)?
        .set_buckets_for_metric(Matcher::Full("gavel_execution_fuel".to_owned()), &EXECUTION_FUEL)?
        .set_buckets_for_metric(
            Matcher::Full("gavel_model_first_token_seconds".to_owned()),
            &FIRST_TOKEN_SECONDS,
        )?
        .install_recorder()?;
    metrics::describe_counter!("gavel_requests_total", "Requests answered, by route and status.");
    metrics::describe_counter!(
        "gavel_refused_total",
        "Requests refused with 429, by the limit that was reached."
    );
    metrics::describe_counter!("gavel_groups_total", "Groups answered.");
    metrics::describe_counter!("gavel_malformed_groups_total", "Groups that could not be read or judged.");
    metrics::describe_counter!("gavel_completions_total", "Completions answered.");
    metrics::describe_counter!("gavel_verdicts_total", "Verdicts, by grader and reason.");
    metrics::describe_counter!("gavel_unjudged_total", "Completions without a reward, by what failed.");
    metrics::describe_counter!("gavel_store_failures_total", "Failures of the store.");
    metrics::describe_counter!(
        "gavel_replaced_rewards_total",
        "Completions without a reward whose trainer got a number that was set for this, by wire and what failed."
    );
    metrics::describe_counter!(
        "gavel_idempotent_replies_total",
        "Requests answered with the first answer of their idempotency key, by what the key was for."
    );
    metrics::describe_gauge!("gavel_jobs_open", "Jobs that have not ended.");
    metrics::describe_counter!(
        "gavel_verdict_cache_total",
        "Verdicts that took long enough to be worth keeping: found again (hit) or found for the first time (miss)."
    );
    metrics::describe_gauge!("gavel_verdict_cache_bytes", "Size of the verdicts that are kept, about.");
    metrics::describe_gauge!("gavel_pending_completions", "Completions waiting or being graded.");
    metrics::describe_counter!("gavel_executions_total", "Runs of programs, by language and ending.");
    metrics::describe_gauge!("gavel_sandbox_running", "Programs running.");
    metrics::describe_gauge!("gavel_sandbox_waiting", "Programs waiting for a place to run.");
    metrics::describe_histogram!(
        "gavel_execution_seconds",
        metrics::Unit::Seconds,
        "Reference time of programs, by language."
    );
    metrics::describe_histogram!("gavel_execution_fuel", "Instructions of programs, about, by language.");
    metrics::describe_histogram!(
        "gavel_grade_seconds",
        metrics::Unit::Seconds,
        "Time from a request's arrival to its rewards."
    );
    describe_model_metrics();
    Ok(handle)
}

fn describe_model_metrics() {
    metrics::describe_gauge!("gavel_model_running", "Sequences that the model decodes.");
    metrics::describe_gauge!("gavel_model_waiting", "Sequences that wait for the model.");
    metrics::describe_counter!(
        "gavel_model_tokens_total",
        "Tokens of the model, of prompts and completions."
    );
    metrics::describe_counter!("gavel_model_sequences_total", "Sequences of the model, by how they ended.");
    metrics::describe_counter!("gavel_model_failures_total", "Failures of the model.");
    metrics::describe_counter!("gavel_remote_requests_total", "Tries at other servers, by how they ended.");
    metrics::describe_counter!("gavel_remote_retries_total", "Tries at other servers after the first.");
    metrics::describe_counter!("gavel_remote_rests_total", "Times that another server was left alone.");
    metrics::describe_histogram!(
        "gavel_remote_seconds",
        metrics::Unit::Seconds,
        "Calls of other servers that went well, with all their tries."
    );
    metrics::describe_histogram!(
        "gavel_model_first_token_seconds",
        metrics::Unit::Seconds,
        "Time from a request's place in the queue to its first token."
    );
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("asked to stop");
}
