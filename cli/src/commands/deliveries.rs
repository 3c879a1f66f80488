//! `drover delivery`: webhooks as they came, what they mean, and what came of them.

use protocol::api::{Delivery, DeliveryDetail, DeliveryStatus};
use serde_json::{Value, json};

use super::print_json;
use crate::args;
use crate::client::{Client, segment};
use crate::exit::Exit;
use crate::render::{self, table::table};

/// `drover delivery …`
pub async fn delivery(client: &Client, delivery: &args::Delivery) -> anyhow::Result<Exit> {
    match delivery {
        args::Delivery::Ls {
            repository,
            limit,
            json,
        } => {
            let path = format!("/repositories/{}/deliveries?limit={limit}", segment(repository));
            let answer: Value = client.read(&path).await?;
            match json {
                true => print_json(&answer),
                false => print(answer),
            }
        }
        args::Delivery::Show { id, json } => {
            let answer: Value = client.read(&format!("/deliveries/{}", segment(id))).await?;
            if *json {
                return print_json(&answer);
            }
            print_detail(&serde_json::from_value(answer)?);
            Ok(Exit::Passed)
        }
        args::Delivery::Redeliver { id } => {
            let path = format!("/deliveries/{}/redeliver", segment(id));
            let again: Delivery = client.post(&path, &json!({})).await?;
            anstream::println!("{}", again.id);
            Ok(Exit::Passed)
        }
    }
}

/// Prints a list as the API gives it.
///
/// # Errors
/// It has another shape.
pub fn print(deliveries: Value) -> anyhow::Result<Exit> {
    let deliveries: Vec<Delivery> = serde_json::from_value(deliveries)?;
    let rows = deliveries.into_iter().map(|delivery| {
        let build = delivery.build.map_or(String::new(), |build| format!("#{build}"));
        vec![
            render::ago(delivery.received_at),
            delivery.id,
            delivery.event,
            word(delivery.status).to_owned(),
            build,
            delivery.message.unwrap_or_default(),
        ]
    });
    let heads = ["received", "delivery", "event", "status", "build", "message"];
    anstream::println!("{}", table(&heads, rows));
    Ok(Exit::Passed)
}

fn word(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Done => "done",
        DeliveryStatus::Failed => "failed",
    }
}

fn print_detail(detail: &DeliveryDetail) {
    let delivery = &detail.delivery;
    let build = delivery
        .build
        .map_or(String::new(), |build| format!(" · build #{build}"));
    anstream::println!(
        "{} · {} · {} · {}{build}",
        delivery.repository,
        delivery.event,
        render::date(delivery.received_at),
        word(delivery.status)
    );
    if let Some(message) = &delivery.message {
        anstream::println!("{message}");
    }
    anstream::println!();
    match &detail.meaning {
        None => anstream::println!("what it means is not known"),
        Some(meaning) => {
            for (name, value) in meaning.said() {
                anstream::println!("{name:<16} {value}");
            }
        }
    }
    anstream::println!();
    for (name, value) in &detail.headers {
        anstream::println!("{name}: {value}");
    }
    anstream::println!("\n{}", detail.body);
}
