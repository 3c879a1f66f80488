//! `drover delivery`: webhooks as they came, what they mean, and what came of them.

use protocol::api::Delivery;
use serde_json::{Value, json};

use super::print_json;
use crate::args;
use crate::client::{Client, segment};
use crate::exit::Exit;
use crate::render;

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
            if *json {
                return print_json(&answer);
            }
            let deliveries: Vec<Delivery> = serde_json::from_value(answer)?;
            anstream::println!("{}", render::deliveries::list(&deliveries));
            Ok(Exit::Passed)
        }
        args::Delivery::Show { id, json } => {
            let answer: Value = client.read(&format!("/deliveries/{}", segment(id))).await?;
            if *json {
                return print_json(&answer);
            }
            anstream::println!("{}", render::deliveries::detail(&serde_json::from_value(answer)?));
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
