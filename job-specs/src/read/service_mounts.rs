//! What a service finds in its file system: volumes, folders of the repository, folders in memory.

use std::collections::BTreeMap;

use crate::codes;
use crate::model::{ServiceSpec, VolumeMount, VolumeSource};
use crate::names::begins_well;
use crate::read::service_entry::Making;
use crate::read::service_env::LABELS;
use crate::reader::keys::Foreign::{Later, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, With, key, kind, required};
use crate::reader::kinds::{FLAG, SIZE, TEXT, choice};
use crate::reader::{Reader, Slot};
use crate::substitute::has_template;

/// Folders in memory, with their options.
pub(crate) const TMPFS: Kind<BTreeMap<String, String>> = kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| {
    Some(reader.tmpfs(slot))
});
/// `volumes` of a service.
pub(crate) const VOLUMES: With<Making> = (
    Shape::List(&Shape::AnyOf(&[Shape::Text, Shape::Object(&VOLUME)])),
    |reader, slot, making| reader.volumes(slot, making),
);
/// Permission bits.
pub(crate) const MODE: Kind<u32> = kind(Shape::Scalar, |reader, slot, _| reader.mode(slot));

/// A volume in its long form, as far as it is read.
#[derive(Default)]
struct Long {
    kind: Option<&'static str>,
    source: Option<String>,
    target: Option<String>,
    read_only: bool,
    tmpfs: Option<String>,
    must_be_there: bool,
}

/// The long form of `volumes`.
static VOLUME: Table<Long> = Table {
    what: "`volumes`",
    about: "A folder of a service that something else is mounted on.",
    keys: &[
        key("type")
            .about("Default: volume.")
            .set(&(choice(&["volume", "bind", "tmpfs"]), |volume, kind| {
                volume.kind = Some(kind)
            })),
        key("source")
            .about("A volume's name, or a path of the repository.")
            .set(&(TEXT, |volume, source| volume.source = Some(source))),
        required("target")
            .about("The folder in the container.")
            .set(&(MOUNT_POINT, |volume, target| volume.target = Some(target))),
        key("read_only")
            .about("It cannot be written there.")
            .set(&(FLAG, |volume, read_only| volume.read_only = read_only)),
        key("tmpfs")
            .about("Options of a folder in memory.")
            .set(&(IN_MEMORY, |volume, options| volume.tmpfs = Some(options))),
        key("bind").about("Options of a path of the repository.").with(&(
            Shape::Object(&BIND),
            |reader, slot, volume| {
                reader.level(slot, &BIND, reader.owner.clone(), volume);
            },
        )),
        key("volume")
            .about("Options of a volume.")
            .with(&(Shape::Object(&OPTIONS), |reader, slot, volume| {
                reader.level(slot, &OPTIONS, reader.owner.clone(), volume);
            })),
        key("consistency").about("Read over.").read_over(&TEXT),
    ],
    foreign: &[Means("target").answers(&["destination"])],
    others: Others::Extensions,
};

/// A folder that something can be mounted on.
const MOUNT_POINT: Kind<String> = kind(Shape::Text, |reader, slot, _| {
    let text = reader.text(slot)?;
    reader.mount_point(slot, &text)
});

/// `bind` of a volume.
static BIND: Table<Long> = Table {
    what: "`bind`",
    about: "Options of a path of the repository that is mounted.",
    keys: &[
        key("create_host_path")
            .about("true (default): what is not in the repository is made, an empty folder. false: it must be there.")
            .set(&(FLAG, |volume, create| volume.must_be_there = !create)),
        key("propagation").about("Read over.").read_over(&TEXT),
        key("selinux").about("Read over.").read_over(&TEXT),
        key("recursive").about("Read over.").read_over(&TEXT),
    ],
    foreign: &[],
    others: Others::Extensions,
};

/// Options of a tmpfs, as the engine takes them: `size=1,mode=2`.
const IN_MEMORY: Kind<String> = Kind {
    shape: Shape::Object(&IN_MEMORY_KEYS),
    read: |reader, slot, _| {
        let mut options = Vec::new();
        reader.level(slot, &IN_MEMORY_KEYS, reader.owner.clone(), &mut options)?;
        Some(options.join(","))
    },
};

/// `tmpfs` of a volume.
static IN_MEMORY_KEYS: Table<Vec<String>> = Table {
    what: "`tmpfs`",
    about: "Options of a folder in memory.",
    keys: &[
        key("size")
            .about("At most so big: 64m.")
            .set(&(SIZE, |options, size| options.push(format!("size={size}")))),
        key("mode")
            .about("Permission bits, in octal: \"1777\".")
            .set(&(MODE, |options, mode| options.push(format!("mode={mode:o}")))),
    ],
    foreign: &[],
    others: Others::Extensions,
};

/// `volume` of a volume.
static OPTIONS: Table<Long> = Table {
    what: "`volume`",
    about: "Options of a volume.",
    keys: &[
        key("nocopy").about("Read over.").read_over(&FLAG),
        key("labels").about("Read over.").read_over(&LABELS),
    ],
    foreign: &[Later.answers(&["subpath"])],
    others: Others::Extensions,
};

/// Words after the last colon of a short volume that are read over.
const MODES: &[&str] = &[
    "rw",
    "z",
    "Z",
    "cached",
    "delegated",
    "consistent",
    "nocopy",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
];

impl Reader<'_> {
    fn volumes(&mut self, slot: Slot<'_>, making: &mut Making) {
        for item in self.items(slot, "a list of volumes").into_iter().flatten() {
            let volume = match Self::is_map(item) {
                true => self.long_volume(item, &mut making.service.spec),
                false => self.short_volume(item),
            };
            let Some(volume) = volume else { continue };
            if let VolumeSource::Named(name) = &volume.source {
                making.around.definitions.check_volume(self, name, item.location());
            }
            let volumes = &mut making.service.spec.volumes;
            volumes.retain(|other| other.target != volume.target);
            volumes.push(volume);
        }
    }

    fn long_volume(&mut self, item: Slot<'_>, spec: &mut ServiceSpec) -> Option<VolumeMount> {
        let (volume, fields) = self.map(item, &VOLUME)?;
        let target = volume.target?;
        if volume.kind == Some("tmpfs") {
            spec.tmpfs.insert(target, volume.tmpfs.unwrap_or_default());
            return None;
        }
        let is_bind = volume.kind == Some("bind");
        let source = match fields.get("source") {
            Some(slot) => {
                let text = volume.source?;
                match is_bind && !text.starts_with('/') {
                    true => VolumeSource::Workspace(self.inside(slot, &text)?),
                    false => self.volume_source(slot, &text)?,
                }
            }
            None if is_bind => {
                self.missing(&fields, "source", item.location());
                return None;
            }
            None => VolumeSource::Nameless,
        };
        Some(VolumeMount {
            source,
            target,
            read_only: volume.read_only,
            create: !volume.must_be_there,
        })
    }

    fn tmpfs(&mut self, slot: Slot<'_>) -> BTreeMap<String, String> {
        let mut folders = BTreeMap::new();
        for item in self.one_or_many(slot) {
            let Some(text) = self.text(item) else { continue };
            let (path, options) = text.split_once(':').unwrap_or((&text, ""));
            if path.starts_with('/') && path.len() > 1 {
                folders.insert(path.to_owned(), options.to_owned());
            } else {
                let problem = self.not_allowed(item, format!("`{path}` is not a folder for a tmpfs"));
                self.add(problem.label("expected /path or /path:size=64m"));
            }
        }
        folders
    }

    /// `[source:]target[:mode]`
    fn short_volume(&mut self, item: Slot<'_>) -> Option<VolumeMount> {
        let text = self.text(item)?;
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, modes) = match parts.as_slice() {
            [target] => (None, *target, ""),
            [source, target] => (Some(*source), *target, ""),
            [source, target, modes] => (Some(*source), *target, *modes),
            _ => {
                let problem = self.not_allowed(item, format!("`{text}` is not a volume"));
                return self.reject(problem.label("expected data:/data, ./conf:/etc/app:ro or /data"));
            }
        };
        let source = match source {
            None => VolumeSource::Nameless,
            Some(source) => self.volume_source(item, source)?,
        };
        let target = self.mount_point(item, target)?;
        let mut read_only = false;
        for mode in modes.split(',').filter(|mode| !mode.is_empty()) {
            read_only |= mode == "ro";
            if mode != "ro" && !MODES.contains(&mode) {
                let problem = self.not_allowed(item, format!("`{mode}` is not a mode of a volume"));
                self.add(problem.label("expected ro or rw"));
            }
        }
        Some(VolumeMount {
            source,
            target,
            read_only,
            create: true,
        })
    }

    /// A volume's name, or a path of the repository.
    fn volume_source(&mut self, item: Slot<'_>, source: &str) -> Option<VolumeSource> {
        if source.starts_with('/') && source.trim_end_matches('/').ends_with("docker.sock") {
            let message = format!("`{source}` is refused in `volumes`");
            let problem = self.bad_value(item, &codes::REFUSED, message);
            let note = "no job ever gets the engine's socket: it is root on the agent's host";
            return self.reject(problem.note(note).help("remove it"));
        }
        if source.starts_with(['.', '/', '~', '\\']) {
            return self.inside(item, source).map(VolumeSource::Workspace);
        }
        if source.len() <= 128 && begins_well(source, "_.-") {
            return Some(VolumeSource::Named(source.to_owned()));
        }
        let problem = self.bad_value(item, &codes::BAD_NAME, format!("`{source}` is not a name for a volume"));
        self.reject(match source.contains('/') {
            true => problem.help(format!("a path of the repository begins with `./`: `./{source}`")),
            false => problem.label("letters, digits, `_`, `.` and `-` only"),
        })
    }

    fn mount_point(&mut self, item: Slot<'_>, target: &str) -> Option<String> {
        let path = target.trim_end_matches('/');
        let climbs = path.split('/').any(|part| part == "..");
        if path.starts_with('/') && !climbs && !path.starts_with("/.drover") {
            return Some(path.to_owned());
        }
        let problem = self.not_allowed(item, format!("nothing can be mounted on `{target}`"));
        self.reject(problem.label("expected an absolute path inside the container: /data"))
    }

    /// Permission bits: `"0440"`, `0o440`, or a number that YAML has read as decimal although it was meant as octal.
    fn mode(&mut self, slot: Slot<'_>) -> Option<u32> {
        let text = self.text(slot)?;
        let digits = text.strip_prefix("0o").unwrap_or(&text);
        let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777);
        if mode.is_none() && !has_template(&text) {
            let problem = self.not_allowed(slot, format!("`{text}` is not a file mode"));
            self.add(problem.label("expected octal digits: \"0440\""));
        }
        mode
    }
}
