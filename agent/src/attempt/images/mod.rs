//! The images of a job's steps: all on their way from the first moment, each once, with a word about it every few
//! seconds. Services bring their own; their progress is written to the job's log.

pub mod built;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use job_specs::model::{ImageBuild, StepAction};
use job_specs::units::duration;
use protocol::attempt::EventKind;

use crate::attempt::report::job_log::JobLog;
use crate::attempt::report::journal::Journal;
use crate::attempt::{AttemptContext, AttemptInput};
use crate::engine::{EngineError, ImageInfo, ImageRequest, Login, Logins, PullProgress};
use crate::lock::lock;

/// Between two words about a pull.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// What a pull came to; shared, because several steps may want the image.
pub type Pulled = Result<Arc<ImageInfo>, Arc<EngineError>>;

/// The images of the steps.
pub struct Images(HashMap<String, Shared<BoxFuture<'static, Pulled>>>);

impl Images {
    /// Sends for all of them.
    pub fn send_for(
        context: &AttemptContext,
        input: &AttemptInput,
        wanted: BTreeSet<String>,
        pulls: &Arc<Pulls>,
    ) -> Images {
        let logins = logins(input);
        let fetch = |image: String| {
            let (engine, pulls, reference) = (context.engine.clone(), pulls.clone(), image.clone());
            let (who, login) = (input.who(), logins.of(&image).cloned());
            let pull = context.tasks.spawn(async move {
                let request = ImageRequest::of(&reference);
                let note = |progress| pulls.note(&reference, progress);
                let result = engine.image_for(&who, &request, login.as_ref(), note).await;
                pulls.done(&reference, result.is_ok());
                result.map_err(Arc::new)
            });
            let pull = async move {
                pull.await
                    .unwrap_or_else(|broken| Err(Arc::new(EngineError::other("pull an image", broken))))
            };
            (image, pull.boxed().shared())
        };
        Images(wanted.into_iter().map(fetch).collect())
    }

    /// Waits for that image; `None`: it was not sent for.
    pub async fn get(&self, image: &str) -> Option<Pulled> {
        let pull = self.0.get(image)?.clone();
        Some(pull.await)
    }

    /// The error of that image, if it is known by now that it cannot be had.
    pub fn failed(&self, image: &str) -> Option<Arc<EngineError>> {
        self.0.get(image)?.peek()?.as_ref().err().cloned()
    }
}

/// With what a job asks registries: the logins of its steps that build images, by registry; those whose secret is missing
/// are left out.
pub fn logins(input: &AttemptInput) -> Logins {
    let mut logins = Logins::default();
    for step in &input.spec.steps {
        if let StepAction::Image(image) = &step.action
            && let Some(login) = login_of(input, image)
        {
            for tag in &image.tags {
                logins.add(tag, login.clone());
            }
        }
    }
    logins
}

fn login_of(input: &AttemptInput, image: &ImageBuild) -> Option<Login> {
    let login = image.login.as_ref()?;
    Some(Login {
        user: login.user.clone(),
        password: input.secrets.get(&login.secret)?.clone(),
    })
}

/// Reports of pulls: the phase for the ruler, and words for people.
pub struct Pulls {
    journal: Journal,
    job_log: JobLog,
    under_way: Mutex<HashMap<String, Pull>>,
}

struct Pull {
    since: Instant,
    said: Instant,
}

impl Pulls {
    /// One for an attempt.
    pub fn new(journal: Journal, job_log: JobLog) -> Arc<Pulls> {
        Arc::new(Pulls {
            journal,
            job_log,
            under_way: Mutex::default(),
        })
    }

    /// The image is on its way, and this far.
    pub fn note(&self, image: &str, progress: PullProgress) {
        let now = Instant::now();
        let mut under_way = lock(&self.under_way);
        let Some(pull) = under_way.get_mut(image) else {
            under_way.insert(image.to_owned(), Pull { since: now, said: now });
            self.phase(true);
            self.job_log.write_line(format!("pulling image {image}"));
            return;
        };
        if now.duration_since(pull.said) >= SAY_EVERY {
            pull.said = now;
            self.job_log
                .write_line(format!("pulling image {image}: {}", describe(progress)));
        }
    }

    /// The image is here, or cannot be had.
    pub fn done(&self, image: &str, here: bool) {
        let mut under_way = lock(&self.under_way);
        let Some(pull) = under_way.remove(image) else {
            return;
        };
        if here {
            self.job_log
                .write_line(format!("pulled image {image} in {}", duration(pull.since.elapsed())));
        }
        if under_way.is_empty() {
            self.phase(false);
        }
    }

    /// The images that are on their way, by name.
    pub fn under_way(&self) -> Vec<String> {
        let under_way = lock(&self.under_way);
        let mut images: Vec<String> = under_way.keys().cloned().collect();
        images.sort();
        images
    }

    fn phase(&self, begin: bool) {
        self.journal.record_now(EventKind::Phase {
            phase: "pull".into(),
            begin,
        });
    }
}

fn describe(progress: PullProgress) -> String {
    let PullProgress {
        bytes: here,
        total_bytes,
        layers_done,
        layers,
    } = progress;
    match total_bytes {
        0 => format!("{layers_done} of {layers} layers"),
        _ => format!(
            "{} of {}, {layers_done} of {layers} layers",
            job_specs::units::size(here),
            job_specs::units::size(total_bytes)
        ),
    }
}
