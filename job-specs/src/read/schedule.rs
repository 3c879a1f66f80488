//! `on.schedule`: times, whose clock, and what happens to missed ones.

use std::collections::BTreeMap;

use jiff::tz::TimeZoneDatabase;

use crate::codes;
use crate::cron::{self, Cron, CronError};
use crate::located::LocatedSchedule;
use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind, required};
use crate::reader::kinds::word;
use crate::reader::{Reader, Slot};
use crate::source::Location;
use crate::suggest::nearest;
use crate::triggers::{Missed, Schedule};
use crate::yaml::Value;

/// Schedules of one file.
const MAX_SCHEDULES: usize = 50;
/// Schedules of all files.
const MAX_ALL_SCHEDULES: usize = 100;
/// What other systems call some cron lines.
const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A schedule, as far as it is read.
#[derive(Default)]
pub(crate) struct Given {
    cron: Option<String>,
    timezone: Option<String>,
    missed: Missed,
    inputs: BTreeMap<String, String>,
    locations: BTreeMap<String, (Location, Location)>,
}

/// One schedule.
pub(crate) static SCHEDULE: Table<Given> = Table {
    what: "`schedule`",
    about: "Times at which a build of the default branch is made.",
    keys: &[
        required("cron")
            .about("Minute, hour, day, month, weekday: `0 2 * * *`.")
            .set(&(CRON, |it, cron| it.cron = Some(cron))),
        key("timezone")
            .about("Of which clock: `Europe/Paris`. Default: UTC.")
            .set(&(TIMEZONE, |it, zone| it.timezone = Some(zone))),
        key("missed")
            .about("Times that passed while nobody was there: run_once (default) makes one build for all of them.")
            .set(&(MISSED, |it, missed| it.missed = missed)),
        key("inputs")
            .about("Values of `on.manual.inputs` for its builds.")
            .with(&(Shape::Map(&Shape::Scalar), |reader, slot, given| {
                reader.schedule_inputs(slot, given)
            })),
    ],
    foreign: &[
        Means("cron").answers(&["schedule", "time"]),
        Means("timezone").answers(&["tz", "time_zone", "zone"]),
        Hint("a schedule builds the default branch").answers(&["branch"]),
    ],
    others: Others::Refused,
};

const CRON: Kind<String> = kind(Shape::Name, |reader, slot, _| reader.cron(slot));
const TIMEZONE: Kind<String> = kind(Shape::Name, |reader, slot, _| reader.timezone(slot));
const MISSED: Kind<Missed> = word(&["run_once", "skip"]);

impl Reader<'_> {
    /// One schedule, or several.
    pub(crate) fn schedules(&mut self, slot: Slot<'_>) -> Vec<LocatedSchedule> {
        let mut items = self.some(slot);
        if items.len() > MAX_SCHEDULES {
            let count = items.len();
            let message = format!("`schedule` has {count} times; at most {MAX_SCHEDULES} are allowed");
            self.add(codes::BAD_VALUE.at(slot.location(), message));
            items.truncate(MAX_SCHEDULES);
        }
        self.spent.schedules += items.len();
        if self.spent.schedules > MAX_ALL_SCHEDULES {
            let message = format!("all files together have more than {MAX_ALL_SCHEDULES} times");
            self.add(codes::BAD_VALUE.at(slot.location(), message).label("reached here"));
            return Vec::new();
        }
        items.into_iter().filter_map(|item| self.schedule(item)).collect()
    }

    fn schedule(&mut self, slot: Slot<'_>) -> Option<LocatedSchedule> {
        if let Value::Scalar(scalar) = &slot.node.value {
            let message = format!("a time of `schedule` is a map, found {}", slot.node.found());
            let problem = codes::WRONG_TYPE.at(slot.location(), message);
            return self.reject(problem.help(format!("write `schedule: [{{cron: \"{}\"}}]`", scalar.text)));
        }
        let mut given = Given::default();
        self.level(slot, &SCHEDULE, "`schedule`".to_owned(), &mut given)?;
        Some(LocatedSchedule {
            schedule: Schedule {
                cron: given.cron?,
                timezone: given.timezone.unwrap_or_else(|| "UTC".to_owned()),
                missed: given.missed,
                inputs: given.inputs,
            },
            inputs: given.locations,
        })
    }

    fn schedule_inputs(&mut self, slot: Slot<'_>, given: &mut Given) {
        let entries = self.entries(slot, "a map from names to values");
        for entry in entries.unwrap_or_default() {
            if let Some(value) = self.input_value(Slot::of(&entry.key.text, &entry.node)) {
                let name = entry.key.text.to_string();
                given
                    .locations
                    .insert(name.clone(), (entry.key.location, entry.node.location));
                given.inputs.insert(name, value);
            }
        }
    }

    fn cron(&mut self, slot: Slot<'_>) -> Option<String> {
        let text = self.literal(slot)?;
        let bad = |message: String| codes::BAD_CRON.at(slot.location(), message);
        let fields = text.split_whitespace().count();
        let nickname = NICKNAMES.iter().find(|(name, _)| *name == text.trim());
        let problem = if text.len() > cron::MAX_BYTES {
            bad(format!("a cron line has at most {} bytes", cron::MAX_BYTES))
        } else if let Some((name, line)) = nickname {
            bad(format!("`{name}` is not a cron line")).help(format!("write `{line}`"))
        } else if fields != 5 {
            let problem = bad(format!("`{text}` has {fields} fields; a cron line has 5"));
            problem.label("minute, hour, day, month, weekday")
        } else {
            match text.parse::<Cron>() {
                Ok(_) => return Some(text),
                Err(never @ CronError::NeverFires) => {
                    let message = format!("`{text}` never fires: {never}");
                    codes::NEVER_FIRES.at(slot.location(), message)
                }
                Err(CronError::Syntax(fault)) => bad(format!("`{text}` is not a cron line")).label(fault),
            }
        };
        self.reject(problem)
    }

    fn timezone(&mut self, slot: Slot<'_>) -> Option<String> {
        let name = self.literal(slot)?;
        let zones = TimeZoneDatabase::bundled();
        if zones.get(&name).is_ok_and(|zone| zone.iana_name() == Some(&name)) {
            return Some(name);
        }
        let names: Vec<String> = zones.available().map(|name| name.to_string()).collect();
        let problem = codes::UNKNOWN_ZONE.at(slot.location(), format!("unknown time zone `{name}`"));
        self.reject(match meant_zone(&name, &names) {
            Some(meant) => problem.label(format!("did you mean `{meant}`?")),
            None => problem.help("write an IANA name: `Europe/Paris`, `America/New_York`, `UTC`"),
        })
    }
}

/// The nearest name, or the only one whose city is this word.
fn meant_zone<'n>(name: &str, names: &'n [String]) -> Option<&'n str> {
    let as_city = name.replace(' ', "_").to_lowercase();
    let city_of = |known: &str| known.rsplit('/').next().map(str::to_lowercase);
    let city = |known: &&String| city_of(known).is_some_and(|city| city == as_city);
    let same = |known: &&String| known.to_lowercase() == as_city;
    let found = names.iter().find(same).or_else(|| names.iter().find(city));
    let near = || nearest(name, names.iter().map(String::as_str)).filter(|_| name.len() > 4);
    found.map(String::as_str).or_else(near)
}
