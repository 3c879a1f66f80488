//! What a job is at besides its steps, as a fact: every sentence that says when something happened (a timeout, a cancel,
//! the agent's stop) takes its words from here.

use std::collections::BTreeSet;
use std::sync::Mutex;

use job_specs::model::StepSpec;

use crate::lock::lock;

/// The phases that have begun and not ended.
#[derive(Default)]
pub struct Activity(Mutex<BTreeSet<String>>);

impl Activity {
    /// A phase begins or ends.
    pub fn note(&self, phase: &str, begin: bool) {
        let mut open = lock(&self.0);
        if begin {
            open.insert(phase.to_owned());
        } else {
            open.remove(phase);
        }
    }

    /// When something happened in a job, to follow `cancelled` or `was stopped`; `pulling` are the images on their way.
    pub fn before_steps(&self, pulling: &[String]) -> String {
        when(pulls(pulling), self.words(), " before its first step")
    }

    /// The same, once the last step was over.
    pub fn after_steps(&self) -> String {
        when(None, self.words(), " after its last step")
    }

    fn words(&self) -> Vec<String> {
        let open = lock(&self.0);
        open.iter()
            .filter_map(|phase| words_of(phase))
            .map(str::to_owned)
            .collect()
    }
}

fn words_of(phase: &str) -> Option<&'static str> {
    Some(match phase {
        "sandbox" => "its network was being made",
        "checkout" => "the code was being checked out",
        "restore" => "its caches and artifacts were being unpacked",
        "services" => "its services were starting",
        "keep" => "its artifacts and caches were being kept",
        _ => return None,
    })
}

/// The same, once it was this step's turn and before it ran.
pub fn before_step(step: &StepSpec, pulling: &[String]) -> String {
    let own: Vec<String> = pulling.iter().filter(|image| **image == step.image).cloned().collect();
    when(pulls(&own), Vec::new(), &format!(" before step `{}` began", step.name))
}

/// The same, while that step ran.
pub fn in_step(step: &StepSpec) -> String {
    format!(" in step `{}`", step.name)
}

fn pulls(images: &[String]) -> Option<String> {
    match images {
        [] => None,
        [image] => Some(format!("the image `{image}` was being pulled")),
        images => Some(format!("the images `{}` were being pulled", images.join("`, `"))),
    }
}

fn when(pulls: Option<String>, others: Vec<String>, otherwise: &str) -> String {
    let all: Vec<String> = pulls.into_iter().chain(others).collect();
    match all.split_last() {
        None => otherwise.to_owned(),
        Some((only, [])) => format!(" while {only}"),
        Some((last, first)) => format!(" while {} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_said() {
        let activity = Activity::default();
        let said = |images: &[&str]| {
            let images: Vec<String> = images.iter().map(|&image| image.to_owned()).collect();
            activity.before_steps(&images)
        };
        assert_eq!(said(&[]), " before its first step");
        activity.note("services", true);
        activity.note("steps", true);
        assert_eq!(said(&[]), " while its services were starting");
        activity.note("checkout", true);
        assert_eq!(
            said(&["a:1", "b:2"]),
            " while the images `a:1`, `b:2` were being pulled, the code was being checked out and its services were \
             starting"
        );
        activity.note("services", false);
        activity.note("checkout", false);
        assert_eq!(said(&["a:1"]), " while the image `a:1` was being pulled");
    }
}
