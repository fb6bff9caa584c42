//! The harness: the real service on a free port of this machine, with a store in memory and a sandbox that
//! waits until it is told to go on.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use gavel::judge::{Judge, VerdictCache};
use gavel::opinion::OpinionSettings;
use gavel::server::admission::{Admission, Limits};
use gavel::server::answers::{AnswerLimits, Answers};
use gavel::server::auth::{Gatekeeper, new_key};
use gavel::server::compat::Wires;
use gavel::server::job_table::{JobLimits, Jobs};
use gavel::server::listen::{self, Connections};
use gavel::server::rubric_cache::RubricCache;
use gavel::server::{self, App, Settings};
use gavel::serving::Served;
use gavel::store::{Name, Store};
use graders::Resources;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use sandboxes::{Ending, Execution, Language, Program, Sandbox, SandboxError};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What a test may set.
pub(crate) struct Options {
    pub(crate) limits: Limits,
    pub(crate) connections: Connections,
    pub(crate) max_deadline: Duration,
    pub(crate) n_threads: usize,
    /// Whether callers need no key.
    pub(crate) open: bool,
    /// What runs programs, if not the gate.
    pub(crate) sandbox: Option<Arc<dyn Sandbox>>,
    /// How the wires of trainers are served.
    pub(crate) wires: Wires,
    pub(crate) jobs: JobLimits,
    /// Memory for verdicts.
    pub(crate) cache_bytes: u64,
    /// The model that is served.
    pub(crate) model: Option<Arc<Served>>,
    /// Models that graders may ask.
    pub(crate) opinions: OpinionSettings,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits {
                max_requests: 64,
                max_completions: 8192,
                max_body_bytes: 32 << 20,
                max_total_body_bytes: 256 << 20,
                body_timeout: Duration::from_secs(30),
            },
            connections: Connections {
                max_connections: 64,
                header_timeout: Duration::from_secs(15),
                drain_delay: Duration::ZERO,
                drain_timeout: Duration::from_mins(1),
            },
            max_deadline: Duration::from_mins(2),
            n_threads: 2,
            open: true,
            sandbox: None,
            wires: Wires::default(),
            jobs: JobLimits::default(),
            cache_bytes: 0,
            model: None,
            opinions: OpinionSettings::default(),
        }
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) app: Arc<App>,
    pub(crate) gate: Arc<Gate>,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<usize>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let gate = Arc::new(Gate::default());
        let sandbox = options.sandbox.unwrap_or_else(|| gate.clone());
        let resources = Resources { sandbox: Some(Arc::clone(&sandbox)), ..Resources::default() };
        let resources = options.opinions.add_to(resources).unwrap();
        let app = Arc::new(App {
            judge: Judge::start(options.n_threads, resources)
                .unwrap()
                .with_cache(VerdictCache::new(options.cache_bytes, Duration::ZERO)),
            store: Store::open("sqlite::memory:").await.unwrap(),
            admission: Admission::new(options.limits),
            gatekeeper: Gatekeeper::new(options.open),
            rubrics: RubricCache::default(),
            answers: Answers::new(AnswerLimits::default()),
            jobs: Jobs::new(options.jobs),
            sandbox: Some(sandbox),
            guests: None,
            model: options.model,
            wires: options.wires,
            metrics: recorder(),
            settings: Settings { max_deadline: options.max_deadline },
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let router = server::router(Arc::clone(&app));
        let serving = tokio::spawn(listen::serve(
            listener,
            router,
            Arc::clone(&app),
            options.connections,
            async move { drop(stopped.await) },
        ));
        // The client wants to know who encrypts, also where nothing is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { address, app, gate, client, stop: Some(stop), serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        Reply::to(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Reply {
        Reply::to(self.request(method, path).body(body.to_string())).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, body).await
    }

    /// Grades and expects it to go well.
    pub(crate) async fn grade(&self, body: &Value) -> Value {
        let reply = self.post("/v1/grade", body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        reply.json()
    }

    /// Sends bytes as they are and reads what comes back until the server closes or says nothing more.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may have seen enough before all is sent.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A key that opens this server, and its id in the store.
    pub(crate) async fn key(&self, name: &str) -> String {
        let (key, hash) = new_key().unwrap();
        self.app.store.create_api_key(&Name::parse("name", name).unwrap(), &hash).await.unwrap();
        key
    }

    /// Tells it to stop, without waiting.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until it has stopped; how many connections were cut.
    pub(crate) async fn stopped(mut self) -> usize {
        self.stop();
        self.serving.await.unwrap()
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.unwrap().into() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// One value for each line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Metrics have one recorder in a process.
fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).unwrap();
            handle
        })
        .clone()
}

/// A sandbox whose programs wait at a gate, then print `1`.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    /// How many more may pass while it is closed.
    permits: usize,
    /// The programs that have begun.
    begun: Vec<String>,
}

impl Gate {
    /// Lets every program through from now on.
    pub(crate) fn open(&self) {
        self.state.lock().unwrap().open = true;
        self.changed.notify_all();
    }

    /// Lets one program through.
    pub(crate) fn let_one_through(&self) {
        self.state.lock().unwrap().permits += 1;
        self.changed.notify_all();
    }

    /// How many programs have begun.
    pub(crate) fn begun(&self) -> usize {
        self.state.lock().unwrap().begun.len()
    }

    /// The programs that have begun, in order.
    pub(crate) fn programs(&self) -> Vec<String> {
        self.state.lock().unwrap().begun.clone()
    }

    /// Waits until `n` programs have begun.
    pub(crate) async fn until_begun(&self, n: usize) {
        while self.begun() < n {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Sandbox for Gate {
    fn languages(&self) -> Vec<Language> {
        vec![Language::Python]
    }

    fn run(&self, program: &Program, _: &[u8], _: &sandboxes::Limits) -> Result<Execution, SandboxError> {
        let mut state = self.state.lock().unwrap();
        state.begun.push(program.source.clone());
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| !state.open && state.permits == 0).unwrap();
        state.permits = state.permits.saturating_sub(1);
        drop(state);
        Ok(Execution { stdout: b"1\n".to_vec(), ..Execution::ended(Ending::Exited { code: 0 }) })
    }
}
