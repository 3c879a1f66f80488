//! `depends_on` of a service.

use crate::located::LocatedDependency;
use crate::model::DependencyCondition;
use crate::reader::keys::Foreign::Ignored;
use crate::reader::keys::{Kind, Others, Shape, Table, key};
use crate::reader::kinds::{FLAG, word};
use crate::reader::{Reader, Slot};
use crate::yaml::{Entry, Value};

/// Names of services, or a map from them to conditions.
pub(crate) const DEPENDS_ON: Kind<Vec<LocatedDependency>> = Kind {
    shape: Shape::AnyOf(&[Shape::List(&Shape::Name), Shape::Map(&Shape::Object(&DEPENDENCY))]),
    read: |reader, slot, _| reader.depends_on(slot),
};

/// The map form of one dependency.
static DEPENDENCY: Table<LocatedDependency> = Table {
    what: "`depends_on`",
    about: "What must be so before the service starts.",
    keys: &[
        key("condition")
            .about("Default: service_started.")
            .set(&(CONDITION, |edge, condition| edge.dependency.condition = condition)),
        key("required")
            .about("false: it may be missing, or not get so far. Default: true.")
            .set(&(FLAG, |edge, required| edge.dependency.required = required)),
    ],
    foreign: &[Ignored("a service is not restarted because another one is").answers(&["restart"])],
    others: Others::Extensions,
};

const CONDITION: Kind<DependencyCondition> =
    word(&["service_started", "service_healthy", "service_completed_successfully"]);

impl Reader<'_> {
    fn depends_on(&mut self, slot: Slot<'_>) -> Option<Vec<LocatedDependency>> {
        match &slot.node.value {
            Value::Map(entries) => Some(entries.iter().filter_map(|entry| self.dependency(entry)).collect()),
            Value::List(items) => {
                let items = items.iter().map(|item| slot.inside(item));
                Some(items.filter_map(|item| self.plain_dependency(item)).collect())
            }
            Value::Scalar(_) => self.wrong_type(slot, "a list of services, or a map"),
        }
    }

    fn dependency(&mut self, entry: &Entry) -> Option<LocatedDependency> {
        let mut edge = LocatedDependency::started(entry.key.text.to_string(), entry.key.location);
        let slot = Slot::of("depends_on", &entry.node);
        let fields = self.level(slot, &DEPENDENCY, self.part("depends_on"), &mut edge)?;
        if let Some(condition) = fields.get("condition") {
            edge.condition_location = condition.location();
        }
        Some(edge)
    }

    fn plain_dependency(&mut self, item: Slot<'_>) -> Option<LocatedDependency> {
        let service = self.literal(item)?;
        Some(LocatedDependency::started(service, item.location()))
    }
}
