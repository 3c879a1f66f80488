//! Names of things, as newtypes, so that an attempt's id is never passed where a job's is meant.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// A new id: a UUID of version 7, so ids sort by age.
            pub fn generate() -> $name {
                $name(uuid::Uuid::now_v7().simple().to_string())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// One job of one build.
    JobId
);
id!(
    /// One execution of a job.
    AttemptId
);
id!(
    /// One agent.
    AgentId
);
id!(
    /// One stack that lives longer than what made it.
    StackId
);
id!(
    /// One delivery of a webhook.
    DeliveryId
);
id!(
    /// One repository.
    RepositoryId
);

/// A log of an attempt: `job` (what the agent itself says), `step-0`…, or `service-db`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(String);

impl StreamId {
    /// The agent's own words about the attempt.
    pub fn job() -> StreamId {
        StreamId("job".into())
    }

    /// The step at that place in the job, from 0.
    pub fn step(index: usize) -> StreamId {
        StreamId(format!("step-{index}"))
    }

    /// The service of that name.
    pub fn service(name: &str) -> StreamId {
        StreamId(format!("service-{name}"))
    }

    /// Takes a name from outside: `job`, `step-N` or `service-NAME`, where NAME has letters, digits, `.`, `_`, `-`.
    pub fn parse(text: &str) -> Option<StreamId> {
        let well_formed = match text.split_once('-') {
            None => text == "job",
            Some(("step", index)) => !index.is_empty() && index.len() <= 4 && index.bytes().all(|b| b.is_ascii_digit()),
            Some(("service", name)) => {
                (1..=128).contains(&name.len())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            }
            Some(_) => false,
        };
        well_formed.then(|| StreamId(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The step's place, when it is a step's.
    pub fn step_index(&self) -> Option<usize> {
        self.0.strip_prefix("step-")?.parse().ok()
    }

    /// The service's name, when it is a service's.
    pub fn service_name(&self) -> Option<&str> {
        self.0.strip_prefix("service-")
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_is_no_path() {
        for good in ["job", "step-0", "step-12", "service-db", "service-my_db.2"] {
            assert_eq!(StreamId::parse(good).map(|s| s.to_string()).as_deref(), Some(good));
        }
        for bad in [
            "",
            "jobs",
            "step-",
            "step-x",
            "service-",
            "service-../x",
            "service-a/b",
            "../job",
            "x-y",
        ] {
            assert_eq!(StreamId::parse(bad), None, "{bad}");
        }
    }
}
