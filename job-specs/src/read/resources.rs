//! `resources` of a job.

use crate::model::Resources;
use crate::reader::keys::Foreign::{Hint, Ignored, Means};
use crate::reader::keys::{Kind, Others, Set, Shape, Table, key};
use crate::reader::kinds::{CPUS, MEMORY, whole};

/// Limits of each step's container.
pub(crate) const RESOURCES: Kind<Resources> = Kind {
    shape: Shape::Object(&RESOURCES_KEYS),
    read: |reader, slot, _| {
        let mut resources = Resources::default();
        let owner = reader.part("resources");
        reader.level(slot, &RESOURCES_KEYS, owner, &mut resources)?;
        Some(resources)
    },
};

static RESOURCES_KEYS: Table<Resources> = Table {
    what: "`resources`",
    about: "Limits of each step's container.",
    keys: &[
        key(
            "cpus",
            &Set(CPUS, |resources: &mut Resources, cpus| {
                resources.cpu_millis = Some(cpus)
            }),
            "Processors, also fractions: 0.5.",
        ),
        key(
            "memory",
            &Set(MEMORY, |resources: &mut Resources, memory| {
                resources.memory_bytes = Some(memory)
            }),
            "Memory: 512m, 4g.",
        ),
        key(
            "pids",
            &Set(whole(1, 4_194_304), |resources: &mut Resources, pids| {
                resources.pids = u64::try_from(pids).ok()
            }),
            "Processes and threads.",
        ),
    ],
    foreign: &[
        ("cpu", Means("cpus")),
        ("mem", Means("memory")),
        ("ram", Means("memory")),
        ("mem_limit", Means("memory")),
        ("pids_limit", Means("pids")),
        (
            "limits",
            Hint("write `cpus`, `memory` and `pids` directly under `resources`"),
        ),
        (
            "requests",
            Ignored("an agent has slots; it does not divide its processors"),
        ),
    ],
    others: Others::Refused,
};
