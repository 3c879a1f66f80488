//! What services refer to by name: configs, secrets, networks and volumes, which must all be the job's own.

use crate::codes;
use crate::reader::keys::Foreign::Ignored;
use crate::reader::keys::{Names, Others};
use crate::reader::{Reader, Slot};
use crate::source::Location;
use crate::yaml::Entry;

/// What services refer to by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Definitions {
    pub(crate) configs: Vec<Entry>,
    pub(crate) secrets: Vec<Entry>,
    pub(crate) networks: Vec<Entry>,
    pub(crate) volumes: Vec<Entry>,
}

/// Top-level `networks` of a Compose file.
static NETWORK_DEFINITION: Names = Names {
    what: "network",
    names: &[
        "name",
        "external",
        "driver",
        "driver_opts",
        "ipam",
        "internal",
        "attachable",
        "enable_ipv4",
        "enable_ipv6",
        "labels",
    ],
    foreign: &[],
    others: Others::Extensions,
};

/// Top-level `volumes` of a Compose file.
static VOLUME_DEFINITION: Names = Names {
    what: "volume",
    names: &["name", "external", "driver", "labels"],
    foreign: &[Ignored("a volume of a job is an empty folder of its own, gone with the job").answers(&["driver_opts"])],
    others: Others::Extensions,
};

impl Definitions {
    /// A network that a service is on must be the job's own.
    pub(crate) fn check_network(&self, reader: &mut Reader<'_>, name: &str, location: Location) {
        let note = "all services of a job are on a network of its own, and find each other by name";
        refuse_external(reader, &self.networks, &NETWORK_DEFINITION, note, (name, location));
    }

    /// A volume that a service mounts must be the job's own.
    pub(crate) fn check_volume(&self, reader: &mut Reader<'_>, name: &str, location: Location) {
        let note = "it would outlive the job, and two jobs would share it";
        refuse_external(reader, &self.volumes, &VOLUME_DEFINITION, note, (name, location));
    }
}

/// A definition that is used must not be about something that lives outside of the job.
fn refuse_external(
    reader: &mut Reader<'_>,
    defined: &[Entry],
    level: &'static Names,
    note: &str,
    (name, used): (&str, Location),
) -> Option<()> {
    let entry = defined.iter().find(|entry| &*entry.key.text == name)?;
    if entry.node.is_null() {
        return None;
    }
    let what = level.what;
    let slot_name = format!("the {what}");
    let fields = reader.fields(Slot::of(&slot_name, &entry.node), level, format!("{what} `{name}`"))?;
    let slot = fields.get("external")?;
    if Reader::is_map(slot) || slot.node.text() == Some("true") {
        let location = fields.key_location("external").unwrap_or(slot.location());
        let problem = codes::REFUSED.at(location, format!("the external {what} `{name}` is refused"));
        let problem = problem.note(note).help("remove `external`");
        reader.add(problem.related(used, "used here").once_per_location());
    }
    None
}
