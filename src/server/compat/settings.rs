//! How the wires of trainers are served: the table `[wires]` of the configuration file.

use serde::Deserialize;
use serde_json::Value;

/// A wire that has rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// OpenRLHF's `/get_reward`.
    OpenRlhf,
    /// slime's `--rm-url`.
    Slime,
    /// eval-protocol's `/reward`.
    EvalProtocol,
    /// ROLL's submit and poll.
    Roll,
    /// LLaMA-Factory's `/score`.
    LlamaFactory,
    /// open-instruct's code tests.
    OpenInstruct,
    /// NeMo-Gym's resources server.
    NemoGym,
    /// Open Reward Standard.
    Ors,
    /// OpenEnv.
    OpenEnv,
    /// Atropos.
    Atropos,
}

impl Wire {
    /// The stable `snake_case` name: in the configuration, in metrics and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenRlhf => "openrlhf",
            Self::Slime => "slime",
            Self::EvalProtocol => "eval_protocol",
            Self::Roll => "roll",
            Self::LlamaFactory => "llama_factory",
            Self::OpenInstruct => "open_instruct",
            Self::NemoGym => "nemo_gym",
            Self::Ors => "ors",
            Self::OpenEnv => "openenv",
            Self::Atropos => "atropos",
        }
    }
}

/// What a wire does where a request does not say.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WireSettings {
    /// The rubric: a preset's or a stored one's name, or a rubric.
    pub rubric: Option<Value>,
    /// The number that stands for a reward that could not be given, where the trainer cannot take null.
    pub on_infra_failure: Option<f64>,
}

/// How the wires of trainers are served.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WiresSettings {
    /// The rubric of wires that name none.
    pub rubric: Option<Value>,
    /// The number of wires that name none.
    pub on_infra_failure: Option<f64>,
    /// Texts that end a completion besides those of the known chat templates; they are not judged.
    pub end_marks: Vec<String>,
    /// OpenRLHF's `/get_reward`.
    pub openrlhf: WireSettings,
    /// slime's `--rm-url`.
    pub slime: WireSettings,
    /// eval-protocol's `/reward`.
    pub eval_protocol: WireSettings,
    /// ROLL's submit and poll.
    pub roll: WireSettings,
    /// LLaMA-Factory's `/score`.
    pub llama_factory: WireSettings,
    /// open-instruct's code tests.
    pub open_instruct: WireSettings,
    /// NeMo-Gym's resources server.
    pub nemo_gym: WireSettings,
    /// Open Reward Standard.
    pub ors: WireSettings,
    /// OpenEnv.
    pub openenv: WireSettings,
    /// Atropos.
    pub atropos: WireSettings,
}

impl WiresSettings {
    fn of(&self, wire: Wire) -> &WireSettings {
        match wire {
            Wire::OpenRlhf => &self.openrlhf,
            Wire::Slime => &self.slime,
            Wire::EvalProtocol => &self.eval_protocol,
            Wire::Roll => &self.roll,
            Wire::LlamaFactory => &self.llama_factory,
            Wire::OpenInstruct => &self.open_instruct,
            Wire::NemoGym => &self.nemo_gym,
            Wire::Ors => &self.ors,
            Wire::OpenEnv => &self.openenv,
            Wire::Atropos => &self.atropos,
        }
    }

    /// The rubric of a wire.
    pub fn rubric(&self, wire: Wire) -> Option<&Value> {
        self.of(wire).rubric.as_ref().or(self.rubric.as_ref())
    }

    /// The number that stands for a reward that could not be given.
    pub fn on_infra_failure(&self, wire: Wire) -> Option<f64> {
        self.of(wire).on_infra_failure.or(self.on_infra_failure)
    }
}
