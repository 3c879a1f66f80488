//! `resources` of a job.

use crate::model::Resources;
use crate::reader::keys::Foreign::{Hint, Ignored, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, key};
use crate::reader::kinds::{CPUS, MEMORY, whole};

/// Limits of each step's container.
pub(crate) const RESOURCES: Kind<Resources> = Kind {
    shape: Shape::Object(&RESOURCES_KEYS),
    read: |reader, slot, _| Some(reader.map(slot, &RESOURCES_KEYS)?.0),
};

static RESOURCES_KEYS: Table<Resources> = Table {
    what: "`resources`",
    about: "Limits of each step's container.",
    keys: &[
        key("cpus")
            .about("Processors, also fractions: 0.5.")
            .set(&(CPUS, |resources, cpus| resources.cpu_millis = Some(cpus))),
        key("memory")
            .about("Memory: 512m, 4g.")
            .set(&(MEMORY, |resources, memory| resources.memory_bytes = Some(memory))),
        key("pids")
            .about("Processes and threads.")
            .set(&(whole(1, 4_194_304), |resources, pids| {
                resources.pids = u64::try_from(pids).ok()
            })),
    ],
    foreign: &[
        Means("cpus").answers(&["cpu"]),
        Means("memory").answers(&["mem", "ram", "mem_limit"]),
        Means("pids").answers(&["pids_limit"]),
        Hint("write `cpus`, `memory` and `pids` directly under `resources`").answers(&["limits"]),
        Ignored("an agent has slots; it does not divide its processors").answers(&["requests"]),
    ],
    others: Others::Refused,
};
