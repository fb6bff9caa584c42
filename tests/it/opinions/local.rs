//! A language model in this process judges as the same model does behind HTTP.

use std::path::Path;
use std::sync::Arc;

use gavel::opinion::OpinionSettings;
use gavel::serving::{self, Limits, ModelSettings};
use graders::{Answer, LanguageModel, Message, ModelError, Question, Read, Resources, Role};
use policy::tokenizer::Tokenizer;
use policy::{ModelConfig, Policy, Sizes};
use serde_json::{Value, json};

use crate::openai::serve;
use crate::server::{Options, Server};

const TEMPLATE: &str = "{% for m in messages %}{{ m.role }}: {{ m.content }};{% endfor %}\
    {% if add_generation_prompt %}assistant: {% endif %}";

fn tiny() -> (Policy, Tokenizer) {
    let characters: String = std::iter::once('\n').chain(' '..='~').collect();
    let words = ["yes".to_owned(), "no".to_owned()];
    let tokenizer = Tokenizer::small(&words, &characters, Some(TEMPLATE)).unwrap();
    let sizes = Sizes {
        hidden_size: 64,
        intermediate_size: 96,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        max_position_embeddings: 4096,
        initializer_range: 0.12,
        ..Sizes::default()
    };
    let mut config = ModelConfig::from_sizes(&sizes, tokenizer.vocabulary()).unwrap();
    tokenizer.describe(&mut config);
    (Policy::random(config, 11, &candle_core::Device::Cpu).unwrap(), tokenizer)
}

fn save(folder: &Path) {
    let (policy, tokenizer) = tiny();
    policy.save(folder).unwrap();
    tokenizer.save(folder).unwrap();
}

fn settings(judge: &Value) -> OpinionSettings {
    serde_json::from_value(json!({"judges": {"m": judge}})).unwrap()
}

fn judge(settings: &Value) -> Arc<dyn LanguageModel> {
    let resources = self::settings(settings).add_to(Resources::default()).unwrap();
    Arc::clone(&resources.language_models["m"])
}

fn question(text: &str, read: Read, n_votes: u32) -> Question {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    Question {
        messages: vec![message(Role::System, "Answer yes or no."), message(Role::User, text)],
        answers: vec!["yes".to_owned(), "no".to_owned()],
        read,
        n_votes,
        seed: 7,
    }
}

async fn ask(judge: &Arc<dyn LanguageModel>, question: Question) -> Result<Vec<Answer>, ModelError> {
    let judge = Arc::clone(judge);
    tokio::task::spawn_blocking(move || judge.ask(&question)).await.unwrap()
}

/// A server with the model, and the judge that asks it.
async fn behind_http(path: &Path, more: Value) -> (Server, Arc<dyn LanguageModel>) {
    let model = ModelSettings {
        source: path.display().to_string(),
        name: "tiny".to_owned(),
        device: "cpu".to_owned(),
        n_gpu_layers: None,
        max_batch: 8,
        context: None,
        default_context: 4096,
        cache_tokens: None,
        limits: Limits::default(),
    };
    let load = move || serving::load(&model).map_err(|error| error.to_string());
    let server = serve(Limits::default(), load, Options::default()).await;
    let mut there = json!({"url": server.url(""), "model": "tiny"});
    there.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let judge = tokio::task::spawn_blocking(move || judge(&there)).await.unwrap();
    (server, judge)
}

/// Both answer these questions alike: log-probabilities within `tolerance`, and all but `n_other` of the texts.
async fn agree(
    here: &Arc<dyn LanguageModel>,
    there: &Arc<dyn LanguageModel>,
    (tolerance, n_other): (f64, usize),
) {
    for (text, read, n_votes) in [
        ("Is 2 + 2 equal to 4?", Read::Logprobs, 1),
        ("Is 2 + 2 equal to 5?", Read::Logprobs, 3),
        ("Is it late?", Read::Verdict, 1),
        ("Is it early? é", Read::Verdict, 16),
    ] {
        let mine = ask(here, question(text, read, n_votes)).await.unwrap();
        let theirs = ask(there, question(text, read, n_votes)).await.unwrap();
        assert_eq!(mine.len(), n_votes as usize);
        let pairs = || mine.iter().zip(&theirs);
        if read == Read::Verdict {
            let n_different = pairs().filter(|(mine, theirs)| mine.text != theirs.text).count();
            assert!(n_different <= n_other, "{text}: {mine:?} {theirs:?}");
            continue;
        }
        for (mine, theirs) in pairs() {
            assert_eq!((mine.first_token.len(), theirs.first_token.len()), (20, 20));
            // Which of two that are nearly as likely comes first, and which is the twentieth, is nobody's promise.
            for mine in &mine.first_token[..15] {
                let theirs = theirs.first_token.iter().find(|theirs| theirs.token == mine.token).unwrap();
                assert!((mine.logprob - theirs.logprob).abs() < tolerance, "{text}: {mine:?} {theirs:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_folder_judges_as_it_does_behind_http() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path());
    let here = judge(&json!({"path": folder.path(), "temperature": 1.0}));
    let (server, there) = behind_http(folder.path(), json!({"temperature": 1.0})).await;
    agree(&here, &there, (1e-6, 0)).await;
    drop(server);
}

#[tokio::test]
async fn an_answer_that_is_no_verdict_is_no_score() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path());
    let here = json!({"path": folder.path(), "model": "tiny"});
    let server = Server::with(Options { opinions: settings(&here), ..Options::default() }).await;
    for read in ["logprobs", "verdict"] {
        let rubric = super::judged(json!({"read": read}));
        let reply = server.grade(&super::request(&rubric, &super::boxed(3))).await;
        assert_eq!(super::first(&reply), Err("judge_unreadable".to_owned()), "{reply}");
    }
    // A question for which there is no room is an error of its own.
    let rubric = super::judged(json!({"show": "completion", "question": "Is it polite?"}));
    let mut small = here;
    small["context"] = json!(64);
    let server = Server::with(Options { opinions: settings(&small), ..Options::default() }).await;
    let reply = server.grade(&super::request(&rubric, &super::boxed(1))).await;
    assert_eq!(super::first(&reply), Err("judge_unavailable".to_owned()), "{reply}");
    let message = reply["groups"][0]["rewards"][0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("room for 64") && message.contains("`context`"), "{message}");
}

#[test]
fn what_cannot_be_loaded_is_told_before_anything_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path());
    let path = folder.path().display().to_string();
    let broken = folder.path().join("broken.gguf");
    std::fs::write(&broken, b"GGUF and nothing more").unwrap();
    for (judge, word) in [
        (json!({"path": "/nowhere/at/all"}), "/nowhere/at/all"),
        (json!({"path": broken}), "broken.gguf"),
        (json!({"path": path, "context": 1 << 20}), "4096 tokens"),
        (json!({"path": path, "device": "quantum"}), "quantum"),
        (json!({"path": path, "url": "http://127.0.0.1:9"}), "`url`"),
        (json!({"path": path, "extra": {"a": 1}}), "`extra`"),
        (json!({"path": path, "retries": 7}), "`retries`"),
        (json!({"path": path, "batch": 0}), "`batch`"),
    ] {
        let fault = settings(&judge).add_to(Resources::default()).unwrap_err().to_string();
        assert!(fault.starts_with("[judges.m]: ") && fault.contains(word), "{fault}");
    }
}

#[test]
fn another_state_of_the_files_is_another_revision() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path());
    let path = json!({"path": folder.path(), "model": "tiny"});
    let first = judge(&path).revision();
    assert_eq!(judge(&path).revision(), first);
    std::fs::write(folder.path().join("notes.txt"), "changed").unwrap();
    assert_ne!(judge(&path).revision(), first);
    let named = json!({"path": folder.path(), "model": "tiny", "revision": "1"});
    assert_eq!(judge(&named).revision(), "tiny@1");
}

#[cfg(feature = "llama")]
#[tokio::test]
async fn a_gguf_file_judges_as_it_does_behind_http() {
    use policy::gguf::{Dtype, ExportOptions, export};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    let (policy, tokenizer) = tiny();
    let options = ExportOptions { dtype: Dtype::F32, ..ExportOptions::default() };
    export(&policy, &tokenizer, &options, &path, |_, _| {}).unwrap();
    let here = json!({"path": path, "temperature": 1.0, "batch": 8, "context": 4096});
    let judge = judge(&here);
    let (server, there) = behind_http(&path, json!({"temperature": 1.0, "constrain": "grammar"})).await;
    // The last bits of its logits depend on what is computed in the same pass.
    agree(&judge, &there, (0.02, 1)).await;
    drop(server);
    let drawn = ask(&judge, question("Is it late?", Read::Verdict, 32)).await.unwrap();
    assert!(drawn.iter().all(|answer| ["yes", "no"].contains(&answer.text.as_str())), "{drawn:?}");
    assert!(
        drawn.iter().any(|answer| answer.text != drawn[0].text),
        "votes are drawn with seeds of their own"
    );

    // Held to a verdict, even a model that knows nothing gives a score.
    let server = Server::with(Options { opinions: settings(&here), ..Options::default() }).await;
    let rubric = super::judged(json!({"read": "verdict", "votes": 9, "score": "graded"}));
    let reply = server.grade(&super::request(&rubric, &super::boxed(3))).await;
    for reward in super::rewards(&reply) {
        let ninths = reward["reward"].as_f64().unwrap() * 9.0;
        assert!((ninths - ninths.round()).abs() < 1e-9, "{reply}");
    }
}
