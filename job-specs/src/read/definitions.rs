//! What services refer to by name: configs, secrets, networks and volumes, which must all be the job's own.

use crate::codes;
use crate::problems::Problem;
use crate::reader::keys::Foreign::Ignored;
use crate::reader::keys::{Names, Others};
use crate::reader::{Fields, Reader, Slot};
use crate::source::Location;
use crate::yaml::{Entry, Value};

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
        let Some(entry) = self.networks.iter().find(|entry| &*entry.key.text == name) else {
            return;
        };
        let owner = format!("network `{name}`");
        if entry.node.is_null() {
            return;
        }
        if let Some(fields) = reader.fields(Slot::of("the network", &entry.node), &NETWORK_DEFINITION, owner) {
            refuse_external(reader, &fields, "network", (name, location));
        }
    }

    /// A volume that a service mounts must be the job's own.
    pub(crate) fn check_volume(&self, reader: &mut Reader<'_>, name: &str, location: Location) {
        let Some(entry) = self.volumes.iter().find(|entry| &*entry.key.text == name) else {
            return;
        };
        let owner = format!("volume `{name}`");
        if entry.node.is_null() {
            return;
        }
        if let Some(fields) = reader.fields(Slot::of("the volume", &entry.node), &VOLUME_DEFINITION, owner) {
            refuse_external(reader, &fields, "volume", (name, location));
        }
    }
}

fn refuse_external(reader: &mut Reader<'_>, fields: &Fields<'_>, what: &str, (name, used): (&str, Location)) {
    let Some(slot) = fields.get("external") else { return };
    let is_external =
        Reader::is_map(slot) || matches!(&slot.node.value, Value::Scalar(scalar) if scalar.text == "true");
    if is_external {
        let location = fields.key_location("external").unwrap_or(slot.location());
        reader.add(
            external(location, what, name)
                .related(used, "used here")
                .once_per_location(),
        );
    }
}

/// A problem about something that lives outside of the job.
fn external(location: Location, what: &str, name: &str) -> Problem {
    let message = format!("the external {what} `{name}` is refused");
    let note = match what {
        "network" => "all services of a job are on a network of its own, and find each other by name",
        _ => "it would outlive the job, and two jobs would share it",
    };
    codes::REFUSED
        .at(location, message)
        .note(note)
        .help("remove `external`")
}
