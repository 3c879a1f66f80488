//! What a service finds in its file system: volumes, folders of the repository, folders in memory.

use std::collections::BTreeMap;

use crate::codes;
use crate::keys::{BIND, TMPFS, VOLUME, VOLUME_OPTIONS};
use crate::model::{ServiceSpec, VolumeMount, VolumeSource};
use crate::problems::Problem;
use crate::read::Around;
use crate::reader::{Fields, Reader, Slot};
use crate::substitute::has_template;

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
    /// Volumes, folders in memory, configs and secrets.
    pub(crate) fn service_mounts(
        &mut self,
        fields: &Fields<'_>,
        owner: &str,
        around: Around<'_>,
        spec: &mut ServiceSpec,
    ) {
        spec.tmpfs = self
            .take(fields, "tmpfs", |reader, slot| Some(reader.tmpfs(slot)))
            .unwrap_or_default();
        for item in fields
            .get("volumes")
            .and_then(|slot| self.items(slot, "a list of volumes"))
            .into_iter()
            .flatten()
        {
            let volume = match Self::is_map(item) {
                true => self.long_volume(item, owner, spec),
                false => self.short_volume(item),
            };
            let Some(volume) = volume else { continue };
            if let VolumeSource::Named(name) = &volume.source {
                around.definitions.check_volume(self, name, item.place());
            }
            spec.volumes.retain(|other| other.target != volume.target);
            spec.volumes.push(volume);
        }
        self.service_files(fields, owner, around, spec);
    }

    fn tmpfs(&mut self, slot: Slot<'_>) -> BTreeMap<String, String> {
        let mut folders = BTreeMap::new();
        for item in self.one_or_many(slot) {
            let Some(text) = self.text(item) else { continue };
            let (path, options) = text.split_once(':').unwrap_or((&text, ""));
            if path.starts_with('/') && path.len() > 1 {
                folders.insert(path.to_owned(), options.to_owned());
            } else {
                let problem = self.bad_value(item, &codes::BAD_VALUE, format!("`{path}` is not a folder for a tmpfs"));
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
                let problem = self.bad_value(item, &codes::BAD_VALUE, format!("`{text}` is not a volume"));
                self.add(problem.label("expected data:/data, ./conf:/etc/app:ro or /data"));
                return None;
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
                let problem = self.bad_value(item, &codes::BAD_VALUE, format!("`{mode}` is not a mode of a volume"));
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
            self.add(problem.note(note).help("remove it"));
            return None;
        }
        if source.starts_with(['.', '/', '~', '\\']) {
            return self.inside(item, source).map(VolumeSource::Workspace);
        }
        let fine = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if source.starts_with(|c: char| c.is_ascii_alphanumeric()) && source.chars().all(fine) && source.len() <= 128 {
            return Some(VolumeSource::Named(source.to_owned()));
        }
        let problem = self.bad_value(item, &codes::BAD_NAME, format!("`{source}` is not a name for a volume"));
        self.add(match source.contains('/') {
            true => problem.help(format!("a path of the repository begins with `./`: `./{source}`")),
            false => problem.label("letters, digits, `_`, `.` and `-` only"),
        });
        None
    }

    fn mount_point(&mut self, item: Slot<'_>, target: &str) -> Option<String> {
        let path = target.trim_end_matches('/');
        let climbs = path.split('/').any(|part| part == "..");
        if path.starts_with('/') && !climbs && !path.starts_with("/.drover") {
            return Some(path.to_owned());
        }
        let problem = self.bad_value(item, &codes::BAD_VALUE, format!("nothing can be mounted on `{target}`"));
        self.add(problem.label("expected an absolute path inside the container: /data"));
        None
    }

    fn long_volume(&mut self, item: Slot<'_>, owner: &str, spec: &mut ServiceSpec) -> Option<VolumeMount> {
        let owner = format!("`volumes` of {owner}");
        let fields = self.fields(item, &VOLUME, &owner)?;
        let target = self.require(&fields, "target", &owner, item.place())?;
        let target_text = self.text(target)?;
        let target = self.mount_point(target, &target_text)?;
        let read_only = self.take(&fields, "read_only", Self::flag).unwrap_or(false);
        let kind = match fields.get("type") {
            Some(slot) => self.choice(slot, &["volume", "bind", "tmpfs"])?,
            None => "volume",
        };
        if let Some(options) = fields.get("volume") {
            self.volume_options(options, &owner);
        }
        self.read_over(&fields, &["consistency"]);
        let create = fields
            .get("bind")
            .is_none_or(|options| self.may_create(options, &owner));
        let options = fields.get("tmpfs").map(|slot| self.tmpfs_options(slot, &owner));
        if kind == "tmpfs" {
            spec.tmpfs.insert(target, options.unwrap_or_default());
            return None;
        }
        let source = match (kind, fields.get("source")) {
            ("bind", Some(slot)) => {
                let path = self.text(slot)?;
                match path.starts_with('/') {
                    true => self.volume_source(slot, &path)?,
                    false => VolumeSource::Workspace(self.inside(slot, &path)?),
                }
            }
            ("bind", None) => {
                self.require(&fields, "source", &owner, item.place())?;
                return None;
            }
            (_, Some(slot)) => {
                let name = self.text(slot)?;
                self.volume_source(slot, &name)?
            }
            (_, None) => VolumeSource::Nameless,
        };
        Some(VolumeMount {
            source,
            target,
            read_only,
            create,
        })
    }

    /// Whether a folder that is not in the repository is made.
    fn may_create(&mut self, options: Slot<'_>, owner: &str) -> bool {
        let Some(fields) = self.fields(options, &BIND, owner) else {
            return true;
        };
        self.read_over(&fields, &["propagation", "selinux", "recursive"]);
        self.take(&fields, "create_host_path", Self::flag).unwrap_or(true)
    }

    fn volume_options(&mut self, slot: Slot<'_>, owner: &str) -> Option<()> {
        let fields = self.fields(slot, &VOLUME_OPTIONS, owner)?;
        self.take(&fields, "nocopy", Self::flag);
        self.take(&fields, "labels", Self::labels);
        Some(())
    }

    fn tmpfs_options(&mut self, slot: Slot<'_>, owner: &str) -> String {
        let Some(fields) = self.fields(slot, &TMPFS, owner) else {
            return String::new();
        };
        let size = self
            .take(&fields, "size", Self::any_size)
            .map(|size| format!("size={size}"));
        let mode = self
            .take(&fields, "mode", Self::mode)
            .map(|mode| format!("mode={mode:o}"));
        let options: Vec<String> = size.into_iter().chain(mode).collect();
        options.join(",")
    }

    /// Permission bits: `"0440"`, `0o440`, or a number that YAML has read as decimal although it was meant as octal.
    pub(crate) fn mode(&mut self, slot: Slot<'_>) -> Option<u32> {
        let text = self.text(slot)?;
        let digits = text.strip_prefix("0o").unwrap_or(&text);
        let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777);
        if mode.is_none() && !has_template(&text) {
            let problem = self.bad_value(slot, &codes::BAD_VALUE, format!("`{text}` is not a file mode"));
            self.add(problem.label("expected octal digits: \"0440\""));
        }
        mode
    }
}

/// A problem about something that lives outside of the job.
pub(crate) fn external(place: crate::source::Place, what: &str, name: &str) -> Problem {
    let message = format!("the external {what} `{name}` is refused");
    let note = match what {
        "network" => "all services of a job are on a network of its own, and find each other by name",
        _ => "it would outlive the job, and two jobs would share it",
    };
    Problem::at(&codes::REFUSED, place, message)
        .note(note)
        .help("remove `external`")
}
