//! `depends_on` of a service.

use crate::keys::DEPENDENCY;
use crate::model::DependencyCondition;
use crate::placed::PlacedDependency;
use crate::reader::{Reader, Slot};
use crate::yaml::{Entry, Value};

impl Reader<'_> {
    pub(crate) fn depends_on(&mut self, slot: Slot<'_>, owner: &str) -> Vec<PlacedDependency> {
        match &slot.node.value {
            Value::Map(entries) => entries
                .iter()
                .filter_map(|entry| self.dependency(entry, owner))
                .collect(),
            Value::List(items) => items
                .iter()
                .filter_map(|item| self.plain_dependency(slot.inside(item)))
                .collect(),
            Value::Scalar(_) => {
                self.wrong_type(slot, "a list of services, or a map");
                Vec::new()
            }
        }
    }

    fn plain_dependency(&mut self, item: Slot<'_>) -> Option<PlacedDependency> {
        let service = self.literal(item)?;
        Some(PlacedDependency::started(service, item.place()))
    }

    fn dependency(&mut self, entry: &Entry, owner: &str) -> Option<PlacedDependency> {
        let slot = Slot::of("depends_on", &entry.node);
        let fields = self.fields(slot, &DEPENDENCY, &format!("`depends_on` of {owner}"))?;
        let mut edge = PlacedDependency::started(entry.key.text.to_string(), entry.key.place);
        if let Some(condition) = fields.get("condition") {
            edge.condition_place = condition.place();
            edge.dependency.condition = self.condition(condition)?;
        }
        if let Some(required) = fields.get("required") {
            edge.dependency.required = self.flag(required).unwrap_or(true);
        }
        Some(edge)
    }

    fn condition(&mut self, slot: Slot<'_>) -> Option<DependencyCondition> {
        use DependencyCondition as C;
        let choices = ["service_started", "service_healthy", "service_completed_successfully"];
        Some(match self.choice(slot, &choices)? {
            "service_healthy" => C::ServiceHealthy,
            "service_completed_successfully" => C::ServiceCompletedSuccessfully,
            _ => C::ServiceStarted,
        })
    }
}
