//! The policy's weights on their way to the servers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use policy::{Policy, lora};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Folder, WeightSync};
use crate::remote::{Client, RemoteError};
use crate::rollout::RolloutError;

/// What the servers sample from.
#[derive(Debug)]
pub(super) struct Served {
    /// The model's name in requests.
    pub(super) model: String,
    /// Steps that the policy had taken.
    pub(super) version: u64,
    /// The adapter behind the name.
    adapter: Option<Pushed>,
}

/// Something that was written for the servers.
#[derive(Clone, Debug)]
struct Pushed {
    name: String,
    folder: PathBuf,
}

/// Keeps the servers at the policy's weights. What is asked for while new ones are pushed goes on with the old.
#[derive(Debug)]
pub(super) struct Weights {
    client: Client,
    sync: WeightSync,
    /// The model's name, without any adapter.
    base: String,
    served: Mutex<Arc<Served>>,
    /// Adapters that are still loaded although newer ones are in force.
    retired: Mutex<Retired>,
    warned: std::sync::atomic::AtomicBool,
}

#[derive(Debug, Default)]
struct Retired {
    loaded: Vec<Arc<Served>>,
    /// Unloaded; servers may read the files of an adapter once more, so they stay until the next time.
    unloaded: Vec<PathBuf>,
}

/// How adapters are loaded and unloaded.
struct Paths {
    load: &'static str,
    unload: &'static str,
}

impl Weights {
    pub(super) fn new(client: Client, sync: WeightSync, model: String) -> Self {
        let served = Served { model: model.clone(), version: 0, adapter: None };
        Self {
            client,
            sync,
            base: model,
            served: Mutex::new(Arc::new(served)),
            retired: Mutex::default(),
            warned: false.into(),
        }
    }

    /// What requests ask for now. Whoever holds it keeps its adapter loaded.
    pub(super) fn served(&self) -> Arc<Served> {
        Arc::clone(&lock(&self.served))
    }

    /// Brings the servers to `policy`'s weights.
    ///
    /// # Errors
    /// When they cannot be written or no server took them; the old ones are then still in force. A server that did
    /// not take what others took is not asked until it does.
    pub(super) fn push(&self, policy: &Policy, version: u64) -> Result<(), RolloutError> {
        match &self.sync {
            WeightSync::None => {
                if version > 0 && !self.warned.swap(true, std::sync::atomic::Ordering::Relaxed) {
                    tracing::warn!(
                        "engine.remote.sync is none: the servers keep the weights that the run began with, and \
                         their rollouts become staler with every step"
                    );
                }
                Ok(())
            }
            WeightSync::VllmLora(folder) => {
                let paths = Paths { load: "/v1/load_lora_adapter", unload: "/v1/unload_lora_adapter" };
                self.push_adapter(policy, version, folder, &paths, str::to_owned)
            }
            WeightSync::SglangLora(folder) => {
                let paths = Paths { load: "/load_lora_adapter", unload: "/unload_lora_adapter" };
                self.push_adapter(policy, version, folder, &paths, |name| format!("{}:{name}", self.base))
            }
            WeightSync::SglangDisk(folder) => self.push_model(policy, version, folder),
        }
    }

    fn push_adapter(
        &self,
        policy: &Policy,
        version: u64,
        folder: &Folder,
        paths: &Paths,
        model: impl Fn(&str) -> String,
    ) -> Result<(), RolloutError> {
        let writing = folder.here.join(format!(".writing-{}", std::process::id()));
        lora::save(policy, &writing, &self.base)?;
        // A name stands for one content: a run that begins again never asks for another run's adapter.
        let name = format!("gavel-{version}-{}", digest(&writing.join(lora::TENSORS))?);
        let here = folder.here.join(&name);
        settle(&writing, &here)?;
        let request = json!({ "lora_name": name, "lora_path": folder.there.join(&name) });
        let taken = |reply: &Result<String, RemoteError>| match reply {
            Ok(text) => refused(text),
            // A try whose answer was lost has loaded it.
            Err(error) if error.message.contains("already been loaded") => None,
            Err(error) if error.message.contains("already loaded") => None,
            Err(error) => Some(error.to_string()),
        };
        if let Err(error) = self.deliver(paths.load, &request, taken) {
            // The servers that did take it, if any, are told that it is not wanted.
            let _ = std::fs::remove_dir_all(&here);
            return Err(error);
        }
        let adapter = Some(Pushed { name: name.clone(), folder: here });
        let new = Arc::new(Served { model: model(&name), version, adapter });
        let old = std::mem::replace(&mut *lock(&self.served), new);
        if old.adapter.as_ref().is_some_and(|pushed| pushed.name != name) {
            lock(&self.retired).loaded.push(old);
        }
        self.unload(paths);
        Ok(())
    }

    /// Unloads adapters that no request uses any more.
    fn unload(&self, paths: &Paths) {
        let mut retired = lock(&self.retired);
        for folder in std::mem::take(&mut retired.unloaded) {
            let _ = std::fs::remove_dir_all(folder);
        }
        let (free, used): (Vec<_>, Vec<_>) = std::mem::take(&mut retired.loaded)
            .into_iter()
            .partition(|served| Arc::strong_count(served) == 1);
        retired.loaded = used;
        for pushed in free.iter().filter_map(|served| served.adapter.clone()) {
            // A server that keeps it has less room, and is none the worse otherwise.
            let replies =
                self.client.post_to_each_blocking(paths.unload, &json!({ "lora_name": pushed.name }));
            for error in replies.into_iter().flatten().filter_map(Result::err) {
                tracing::debug!(%error, adapter = pushed.name, "an old adapter was not unloaded");
            }
            retired.unloaded.push(pushed.folder);
        }
    }

    fn push_model(&self, policy: &Policy, version: u64, folder: &Folder) -> Result<(), RolloutError> {
        let name = format!("gavel-{version}");
        let (writing, here) =
            (folder.here.join(format!(".writing-{}", std::process::id())), folder.here.join(&name));
        lora::merged(policy)?.save(&writing)?;
        settle(&writing, &here)?;
        let request = json!({
            "model_path": folder.there.join(&name),
            "flush_cache": true,
            "weight_version": version.to_string(),
        });
        let delivered = self.deliver("/update_weights_from_disk", &request, |reply| match reply {
            Ok(text) => refused(text),
            Err(error) => Some(error.to_string()),
        });
        if delivered.is_err() {
            let _ = std::fs::remove_dir_all(&here);
        }
        delivered?;
        *lock(&self.served) = Arc::new(Served { model: self.base.clone(), version, adapter: None });
        // A server that begins again reads the files it was given last, so these stay until the next time.
        let mut retired = lock(&self.retired);
        for old in std::mem::replace(&mut retired.unloaded, vec![here.clone()])
            .into_iter()
            .filter(|old| *old != here)
        {
            let _ = std::fs::remove_dir_all(old);
        }
        Ok(())
    }

    /// Sends `request` to every server; those that did not take it are not asked until they take a later one.
    fn deliver(
        &self,
        path: &str,
        request: &Value,
        refusal: impl Fn(&Result<String, RemoteError>) -> Option<String>,
    ) -> Result<(), RolloutError> {
        let replies = self.client.post_to_each_blocking(path, request)?;
        let refusals: Vec<Option<String>> = replies.iter().map(refusal).collect();
        if let Some(first) = refusals.iter().flatten().next()
            && refusals.iter().all(Option::is_some)
        {
            return Err(RolloutError::Request {
                message: format!(
                    "no server took the new weights, and the old ones are still in force: {first}"
                ),
            });
        }
        for (index, refusal) in refusals.iter().enumerate() {
            if let Some(message) = refusal {
                let server = self.client.address(index);
                tracing::warn!(
                    server,
                    message,
                    "the server did not take the new weights and is not asked for now"
                );
                metrics::counter!("gavel_remote_syncs_refused_total").increment(1);
            }
            self.client.set_serving(index, refusal.is_none());
        }
        Ok(())
    }
}

/// What a reply with status 200 says that was refused all the same: SGLang's `"success": false`.
fn refused(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    if value.get("success")?.as_bool()? {
        return None;
    }
    let said = ["error_message", "message"].iter().find_map(|field| value.get(*field)?.as_str());
    Some(said.unwrap_or("the server says that it failed").to_owned())
}

/// The first digits of a file's SHA-256.
fn digest(path: &Path) -> Result<String, RolloutError> {
    let bytes = std::fs::read(path).map_err(|error| policy::PolicyError::file(path, error))?;
    Ok(Sha256::digest(&bytes).iter().take(4).fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
}

/// Gives a folder that is whole its name.
fn settle(writing: &Path, name: &Path) -> Result<(), RolloutError> {
    let _ = std::fs::remove_dir_all(name);
    Ok(std::fs::rename(writing, name).map_err(|error| policy::PolicyError::file(name, error))?)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
