//! Webhooks as people read them: what came, what it means, and what came of it.

use protocol::api::{Delivery, DeliveryDetail, DeliveryStatus};

use super::table::table;
use super::{ago, date};

/// One line a delivery.
pub fn list(deliveries: &[Delivery]) -> String {
    let rows = deliveries.iter().map(|delivery| {
        let build = delivery.build.map_or(String::new(), |build| format!("#{build}"));
        vec![
            ago(delivery.received_at),
            delivery.id.clone(),
            delivery.event.clone(),
            word(delivery.status).to_owned(),
            build,
            delivery.message.clone().unwrap_or_default(),
        ]
    });
    let heads = ["received", "delivery", "event", "status", "build", "message"];
    table(&heads, rows)
}

/// What came of it, what it means, and what was received.
pub fn detail(detail: &DeliveryDetail) -> String {
    let delivery = &detail.delivery;
    let build = delivery
        .build
        .map_or(String::new(), |build| format!(" · build #{build}"));
    let mut lines = vec![format!(
        "{} · {} · {} · {}{build}",
        delivery.repository,
        delivery.event,
        date(delivery.received_at),
        word(delivery.status)
    )];
    lines.extend(delivery.message.clone());
    lines.push(String::new());
    match &detail.meaning {
        None => lines.push("what it means is not known".to_owned()),
        Some(meaning) => {
            let said = meaning.said().into_iter();
            lines.extend(said.map(|(name, value)| format!("{name:<16} {value}")));
        }
    }
    lines.push(String::new());
    lines.extend(detail.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(format!("\n{}", detail.body));
    lines.join("\n")
}

fn word(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Done => "done",
        DeliveryStatus::Failed => "failed",
    }
}
