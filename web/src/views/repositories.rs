//! One repository and what came in for it: the views behind `/repositories` and `/repositories/{name}`.

use job_specs::triggers::Input;
use serde::Serialize;

use super::{BuildSummary, FlakyRow, Micros, SlowRow};

/// All repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RepositoryList {
    /// By name.
    pub repositories: Vec<RepositoryRow>,
}

/// One repository, as a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepositoryRow {
    /// Its name.
    pub name: String,
    /// Anyone may read it.
    pub public: bool,
    /// Its newest build.
    pub latest: Option<BuildSummary>,
}

/// The page of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepositoryPage {
    /// Its name.
    pub name: String,
    /// Where its code is, without a password.
    pub git: String,
    /// The forge's word: `github`.
    pub forge: String,
    /// Anyone may read it.
    pub public: bool,
    /// Its newest builds, a handful.
    pub builds: Vec<BuildSummary>,
    /// Tests that passed and failed at one commit, the worst first, a handful.
    pub flaky: Vec<FlakyRow>,
    /// Its slowest tests, a handful.
    pub slowest: Vec<SlowRow>,
    /// How it is polled; `None`: it is not, or the reader may not manage it.
    pub polling: Option<Polling>,
    /// Its webhook; `None` for readers who may not manage it (they see no deliveries and no secrets either).
    pub hook: Option<Hook>,
    /// How it is reached at its forge.
    pub connection: Option<Connection>,
    /// Newest first, a page of them.
    pub deliveries: Vec<DeliveryRow>,
    /// By name; values never leave the store.
    pub secrets: Vec<SecretRow>,
    /// What the trigger form suggests: `main`.
    pub trigger_reference: String,
    /// Builds by the clock, as the job file of the default branch says.
    pub schedules: Vec<ScheduleRow>,
    /// Inputs of builds by hand, as the same file says; each is a field `input.NAME` of the trigger form.
    pub inputs: Vec<Input>,
}

/// One schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleRow {
    /// `0 2 * * *`
    pub cron: String,
    /// Whose clock.
    pub timezone: String,
    /// When it is due next; `None`: never again.
    pub next_at: Option<Micros>,
    /// The build that it made last.
    pub build: Option<i64>,
    /// What came of the last time, when there is something to say.
    pub sentence: Option<String>,
}

/// How a repository is asked for its references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Polling {
    /// How often, in seconds.
    pub interval_secs: u32,
    /// When it was asked last; `None`: not yet.
    pub polled_at: Option<Micros>,
    /// When it is asked next.
    pub next_at: Micros,
    /// Why it did not answer the last time, in a sentence.
    pub problem: Option<String>,
}

/// Where a forge sends its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// The full URL.
    pub url: String,
    /// Deliveries that were refused because of a wrong or missing signature, ever.
    pub refused: u64,
}

/// How a repository is reached at its forge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// The API's URL.
    pub api: String,
    /// `owner/name`
    pub project: String,
    /// Nothing is sent there before, in microseconds since 1970.
    pub held_until: Option<Micros>,
    /// What the forge does not know yet.
    pub open: Vec<OutboxRow>,
}

/// Something that a forge does not know yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutboxRow {
    /// `webhook`, or commit and context of a commit status.
    pub what: String,
    /// The build that it is about.
    pub build: Option<i64>,
    /// Where it stands.
    pub state: DeliveryState,
    /// What is wrong.
    pub sentence: Option<String>,
    /// When there was last something new to tell.
    pub changed_at: Micros,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Stored; not looked at yet.
    Pending,
    /// It could not be processed; it will be tried again.
    Retrying,
    /// It made a build.
    Done,
    /// Nothing was to be done: a ping, a deleted branch, an event that the job file does not want.
    Ignored,
    /// It was given up.
    Failed,
}

/// One webhook as received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// Our id, for its actions.
    pub id: String,
    /// `push`, `ping`, …; as the forge calls it.
    pub event: String,
    /// Branch, tag or whatever it is about; may be empty.
    pub reference: String,
    /// When it came.
    pub received_at: Micros,
    /// What became of it.
    pub state: DeliveryState,
    /// Why, in one plain sentence, when it did not simply make a build.
    pub sentence: Option<String>,
    /// The build that it made.
    pub build: Option<i64>,
}

/// One secret: its name, never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretRow {
    /// The name that a step's `secrets` uses.
    pub name: String,
    /// When it was last set.
    pub updated_at: Micros,
}

/// `/repositories/{name}/deliveries/{id}`: one webhook, what it means, what came of it, and what was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryPage {
    /// Name of its repository.
    pub repository: String,
    /// What the list shows.
    pub delivery: DeliveryRow,
    /// What it means: names and values, in the order of the API; what the forge does not say is left out. Empty: it could not
    /// be read.
    pub meaning: Vec<(String, String)>,
    /// The headers that were kept.
    pub headers: Vec<(String, String)>,
    /// The body, for people: JSON is indented. Empty: it is not kept any more.
    pub body: String,
    /// Bytes of it that are not shown.
    pub more: u64,
}
