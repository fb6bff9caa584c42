//! Models by name: a folder, or `owner/name` on the Hugging Face hub.

use std::path::{Path, PathBuf};

use crate::error::{PolicyError, Result};

/// Finds a model's folder. What is a folder here is taken as it is. Everything else must be `owner/name`, with
/// `@revision` behind it where it is not `main`, and is fetched into the hub's cache, unless it is there already.
///
/// `HF_HOME`, `HF_ENDPOINT` and `HF_TOKEN` are honoured; with `HF_HUB_OFFLINE=1` nothing is fetched.
///
/// # Errors
/// When there is no such folder and no such model, or the hub cannot be reached.
pub fn find(model: &str) -> Result<PathBuf> {
    let folder = Path::new(model);
    if folder.is_dir() {
        return Ok(folder.to_owned());
    }
    let (name, revision) = model.split_once('@').unwrap_or((model, "main"));
    let plain = |part: &str| {
        !part.is_empty()
            && part.len() <= 96
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let named = name.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name));
    if !named || !revision.split('/').all(plain) {
        return Err(PolicyError::Unsupported {
            message: format!(
                "`{model}` is neither a folder nor a name on the hub such as `Qwen/Qwen2.5-0.5B-Instruct`"
            ),
        });
    }
    fetch(name, revision)
}

#[cfg(not(feature = "hub"))]
fn fetch(name: &str, _revision: &str) -> Result<PathBuf> {
    Err(PolicyError::Unsupported {
        message: format!(
            "there is no folder `{name}`, and this program was built without `--features hub`: fetch the model \
             with `hf download {name} --local-dir FOLDER` and give the folder"
        ),
    })
}

/// Which files of a repository are wanted: never code, and weights in one form only.
#[cfg(any(feature = "hub", test))]
fn wanted(name: &str) -> bool {
    let weights = |name: &str| name.starts_with("model") && name.ends_with(".safetensors");
    matches!(
        name,
        "config.json"
            | "generation_config.json"
            | "model.safetensors.index.json"
            | "tokenizer.json"
            | "tokenizer_config.json"
            | "chat_template.jinja"
    ) || weights(name)
}

#[cfg(feature = "hub")]
fn fetch(name: &str, revision: &str) -> Result<PathBuf> {
    let set = |variable: &str| std::env::var(variable).ok().filter(|value| !value.is_empty());
    let on = |value: String| matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | "on");
    Hub {
        cache: hf_hub::Cache::from_env(),
        endpoint: set("HF_ENDPOINT"),
        token: set("HF_TOKEN"),
        offline: set("HF_HUB_OFFLINE").is_some_and(on),
    }
    .fetch(name, revision)
}

/// What the environment says about the hub.
#[cfg(feature = "hub")]
struct Hub {
    cache: hf_hub::Cache,
    endpoint: Option<String>,
    token: Option<String>,
    offline: bool,
}

#[cfg(feature = "hub")]
impl Hub {
    fn fetch(self, name: &str, revision: &str) -> Result<PathBuf> {
        use hf_hub::api::sync::ApiBuilder;
        use hf_hub::{Repo, RepoType};

        let fail = |message: String| PolicyError::Unsupported { message };
        let folder_of = |file: PathBuf| file.parent().map(Path::to_owned);
        let repo = Repo::with_revision(name.to_owned(), RepoType::Model, revision.to_owned());
        let cached = self.cache.repo(repo.clone()).get("config.json").and_then(folder_of);
        if self.offline {
            return cached.ok_or_else(|| {
                fail(format!(
                    "`{name}` is neither a folder nor in the hub's cache, and HF_HUB_OFFLINE forbids to fetch it"
                ))
            });
        }
        let mut builder = ApiBuilder::from_cache(self.cache).with_progress(false);
        if let Some(endpoint) = self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(token) = self.token {
            builder = builder.with_token(Some(token));
        }
        let api = builder.build().map_err(|error| fail(format!("the hub's client cannot start: {error}")))?;
        let remote = api.repo(repo);
        let info = match (remote.info(), cached) {
            (Ok(info), _) => info,
            // Without a network what was fetched before will do.
            (Err(_), Some(folder)) => return Ok(folder),
            (Err(error), None) => {
                return Err(fail(format!(
                    "`{name}` is no folder and cannot be fetched from the hub: {error}. Is the name right, the \
                     network there, and HF_TOKEN set if the model is gated?"
                )));
            }
        };
        let mut folder = None;
        for file in info.siblings.iter().map(|file| file.rfilename.as_str()).filter(|file| wanted(file)) {
            let path = remote.get(file).map_err(|error| {
                fail(format!("`{file}` of `{name}` cannot be fetched from the hub: {error}"))
            })?;
            folder = folder_of(path);
        }
        folder.ok_or_else(|| fail(format!("`{name}` on the hub has no file of a model")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_wins_and_nonsense_is_refused() {
        let folder = tempfile::tempdir().expect("room");
        let path = folder.path().to_str().expect("UTF-8");
        assert_eq!(find(path).expect("it is there"), folder.path());
        for name in ["", "qwen", "a/b/c", "../x", "/nowhere/model", "a/..", "a /b", "a/b@", "a/b@../c"] {
            let message = find(name).expect_err(name).to_string();
            assert!(message.contains("neither a folder nor"), "{name}: {message}");
        }
    }

    #[test]
    fn no_code_and_no_second_copy_of_the_weights() {
        for (name, want) in [
            ("config.json", true),
            ("model-00001-of-00002.safetensors", true),
            ("model.safetensors", true),
            ("pytorch_model.bin", false),
            ("modeling_custom.py", false),
            ("original/model.safetensors", false),
            ("adapter_model.safetensors", false),
        ] {
            assert_eq!(wanted(name), want, "{name}");
        }
    }

    #[cfg(feature = "hub")]
    #[test]
    fn without_the_hub_the_cache_will_do() {
        let folder = tempfile::tempdir().expect("room");
        // A port that nobody listens on.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        drop(listener);
        let ask = |offline: bool| {
            let cache = hf_hub::Cache::new(folder.path().to_owned());
            let hub = Hub { cache, endpoint: Some(endpoint.clone()), token: None, offline };
            hub.fetch("owner/name", "main")
        };
        let message = ask(true).expect_err("nothing is there").to_string();
        assert!(message.contains("HF_HUB_OFFLINE"), "{message}");
        let message = ask(false).expect_err("nobody listens").to_string();
        assert!(message.contains("`owner/name` is no folder and cannot be fetched"), "{message}");
        let snapshot = folder.path().join("models--owner--name/snapshots/abc");
        let refs = folder.path().join("models--owner--name/refs");
        std::fs::create_dir_all(&snapshot).expect("room");
        std::fs::create_dir_all(&refs).expect("room");
        std::fs::write(refs.join("main"), "abc").expect("room");
        std::fs::write(snapshot.join("config.json"), "{}").expect("room");
        assert_eq!(ask(true).expect("it is in the cache"), snapshot);
        assert_eq!(ask(false).expect("it is in the cache"), snapshot);
    }
}
